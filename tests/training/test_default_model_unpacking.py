"""What is taken out of Debian packages, zip files and WADs."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import ResonanceError
from training.default_model.unpacking import (
    MINIMUM_BYTES,
    is_music,
    is_music_or_score,
    is_soundfont,
    read_lumps,
    unpack,
    unpack_wad,
    unpack_zip,
)

if TYPE_CHECKING:
    from pathlib import Path

SONG = b"x" * MINIMUM_BYTES
SCORE = b"MThd" + bytes(20)


def make_wad(lumps: list[tuple[str, bytes]], kind: bytes = b"IWAD") -> bytes:
    """Write a WAD: header, lumps, directory."""
    content, entries = b"", b""
    for name, lump in lumps:
        entries += struct.pack("<ii8s", 12 + len(content), len(lump), name.encode())
        content += lump
    return struct.pack("<4sii", kind, len(lumps), 12 + len(content)) + content + entries


def make_package(folder: Path, files: dict[str, bytes]) -> Path:
    """Build a Debian package with these files by dpkg-deb."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is Debian's")
    root = folder / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: tunes\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: tunes\n"
    )
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    command = ["dpkg-deb", "--build", str(root), str(folder / "tunes.deb")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "tunes.deb"


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "size", "music", "score"),
    [
        ("./usr/share/games/a/song.ogg", MINIMUM_BYTES, True, False),
        ("./usr/share/games/a/song.OGG", MINIMUM_BYTES, True, False),
        ("./usr/share/games/a/shot.ogg", MINIMUM_BYTES - 1, False, False),
        ("./usr/share/games/a/music/nameless", MINIMUM_BYTES, True, False),
        ("./usr/share/games/a/maps/nameless", MINIMUM_BYTES, False, False),
        ("./usr/share/scummvm/drascula/es/track1.ogg", MINIMUM_BYTES, False, False),
        ("./usr/share/scummvm/drascula/audio/track1.ogg", MINIMUM_BYTES, True, False),
        ("./usr/share/games/a/song.xm", 10, False, True),
        ("./usr/share/games/a/song.mid", 10, False, True),
        ("./usr/share/games/a/song.mid", 0, False, False),
        ("./usr/share/sounds/sf2/a.sf2", 10, False, False),
    ],
)
def test_music_is_known_by_name_and_size(name: str, size: int, music: bool, score: bool) -> None:
    assert is_music(name, size) == music
    assert is_music_or_score(name, size) == (music or score)
    assert is_soundfont(name, size) == name.endswith(".sf2")


def test_lumps_of_a_wad() -> None:
    lumps = [("D_E1M1", SCORE), ("MAP01", b""), ("DEMO1234", b"abc")]
    assert list(read_lumps(make_wad(lumps))) == lumps
    assert list(read_lumps(make_wad(lumps, b"PWAD"))) == lumps


def test_names_of_lumps_stay_within_the_folder(tmp_path: Path) -> None:
    unpack_wad(io.BytesIO(make_wad([("../../up", SCORE), ("a\\b", SCORE + b"1")])), tmp_path / "out" / "wad")
    assert files_below(tmp_path) == {"out/wad/______up.mid", "out/wad/a_b.mid"}


def test_unpack_wad_writes_distinct_scores_once(tmp_path: Path) -> None:
    wad = make_wad([("D_A", SCORE), ("D_B", SCORE), ("D_C", SCORE + b"c"), ("SOUND", b"RIFF")])
    unpack_wad(io.BytesIO(wad), tmp_path)
    assert files_below(tmp_path) == {"D_A.mid", "D_C.mid"}
    assert (tmp_path / "D_C.mid").read_bytes() == SCORE + b"c"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cut off"),
        (make_wad([("A", b"abc")])[:-1], "cut off"),
        (make_wad([("A", b"abc")], b"RIFF"), r"begins with IWAD or PWAD, not with b'RIFF'"),
    ],
)
def test_what_is_no_wad_is_a_sentence(content: bytes, reason: str) -> None:
    with pytest.raises(ResonanceError, match=reason):
        list(read_lumps(content))


def test_music_of_a_zip_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("audio/music/a.ogg", SONG)
        archive.writestr("audio/shot.ogg", b"x")
    buffer.seek(0)
    unpack_zip(buffer, tmp_path / "zip")
    assert files_below(tmp_path) == {"zip/audio/music/a.ogg"}


def test_a_package_is_unpacked_once_and_by_what_is_wanted(tmp_path: Path) -> None:
    wad = make_wad([("D_E1M1", SCORE)])
    package = make_package(
        tmp_path,
        {"usr/share/a.ogg": SONG, "usr/b.mid": SCORE, "usr/c.wad": wad, "usr/d.sf2": b"RIFF", "usr/e.txt": SONG},
    )
    unpack(package, tmp_path / "music")
    assert files_below(tmp_path / "music") == {"usr/share/a.ogg"}
    unpack(package, tmp_path / "training", is_music_or_score)
    assert files_below(tmp_path / "training") == {"usr/share/a.ogg", "usr/b.mid", "c/D_E1M1.mid"}
    unpack(package, tmp_path / "fonts", is_soundfont)
    assert files_below(tmp_path / "fonts") == {"usr/d.sf2"}
    (tmp_path / "music" / "usr/share/a.ogg").unlink()
    unpack(package, tmp_path / "music")
    assert files_below(tmp_path / "music") == set()
