"""Download Debian packages and unpack the music inside: audio files, tracker modules, scores; install nothing."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUFFIXES = {".ogg", ".oga", ".opus", ".mp3", ".wav", ".flac"}
MODULE_SUFFIXES = {".mod", ".xm", ".it", ".s3m"}
SCORE_SUFFIXES = {".mid", ".midi"}
SOUNDFONT_SUFFIXES = {".sf2", ".sf3"}
MINIMUM_BYTES = 100_000  # smaller audio files in these packages are sound effects
MIDI_HEADER = b"MThd"
WAD_HEADER, WAD_ENTRY = struct.Struct("<4sii"), struct.Struct("<ii8s")


def is_music(name: str, size: int) -> bool:
    """Return whether a packaged file may be a piece of music, by its name and size."""
    path = PurePosixPath(name)
    # blobwars names its music without extensions; drascula repeats one set of tracks for every language.
    suffix_fits = path.suffix.lower() in SUFFIXES or (path.suffix == "" and path.parent.name == "music")
    repeated = "scummvm/drascula" in name and path.parent.name != "audio"
    return suffix_fits and not repeated and size >= MINIMUM_BYTES


def is_module_or_score(name: str, size: int) -> bool:
    """Return whether a packaged file is a tracker module or a MIDI file, by its name."""
    return size > 0 and PurePosixPath(name).suffix.lower() in MODULE_SUFFIXES | SCORE_SUFFIXES


def is_music_or_score(name: str, size: int) -> bool:
    return is_music(name, size) or is_module_or_score(name, size)


def is_soundfont(name: str, size: int) -> bool:
    return size > 0 and PurePosixPath(name).suffix.lower() in SOUNDFONT_SUFFIXES


def download(package: str, folder: Path) -> Path:
    """Return the package file in `folder`, fetched if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob(f"{package}_*.deb")):
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)  # noqa: S603, S607 - fixed names
    return next(folder.glob(f"{package}_*.deb"))


def unpack(package_file: Path, target: Path, is_wanted: Callable[[str, int], bool] = is_music) -> None:
    """Write the wanted files of a Debian package below `target`, which appears only when complete.

    `is_wanted` takes a file's name and size. A `public.zip` is searched, too; of a WAD, the scores are written.
    """
    if target.exists():
        return
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = ["dpkg-deb", "--fsys-tarfile", str(package_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - a list, no shell
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is None:
                    continue
                if member.name.endswith("/public.zip"):
                    unpack_zip(stream, partial, is_wanted)
                elif member.name.endswith(".wad") and is_wanted("score.mid", 1):
                    unpack_wad(stream, partial / PurePosixPath(member.name).stem)
                elif is_wanted(member.name, member.size):
                    save(stream, partial / PurePosixPath(member.name).relative_to("."))
    partial.mkdir(parents=True, exist_ok=True)
    partial.rename(target)


def unpack_zip(stream: IO[bytes], target: Path, is_wanted: Callable[[str, int], bool] = is_music) -> None:
    """Write the wanted files inside a zip file that is read from a stream."""
    spool = target.with_name(target.name + ".zip")
    save(stream, spool)
    with zipfile.ZipFile(spool) as archive:
        for info in archive.infolist():
            if is_wanted(info.filename, info.file_size):
                with archive.open(info) as member:
                    save(member, target / info.filename)
    spool.unlink()


def unpack_wad(stream: IO[bytes], target: Path) -> None:
    """Write every distinct MIDI file inside a WAD, which a stream gives, by the name of its lump."""
    seen: set[bytes] = set()
    for name, lump in read_lumps(stream.read()):
        if lump.startswith(MIDI_HEADER) and lump not in seen:
            seen.add(lump)
            save(io.BytesIO(lump), target / f"{name}.mid")


def read_lumps(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each lump of a WAD file.

    A header (the letters IWAD or PWAD, the number of lumps, the directory's place) leads to a directory of places,
    sizes and names of eight bytes (The Unofficial Doom Specs, Fell 1994, chapter 2). Raises ResonanceError where the
    content is no WAD.
    """
    try:
        kind, count, place = WAD_HEADER.unpack_from(content)
        entries = [WAD_ENTRY.unpack_from(content, place + number * WAD_ENTRY.size) for number in range(count)]
    except struct.error as error:
        raise ResonanceError(f"A WAD file was expected, but its directory is cut off ({error}).") from error
    if kind not in (b"IWAD", b"PWAD"):
        raise ResonanceError(f"A WAD file was expected, which begins with IWAD or PWAD, not with {kind!r}.")
    for start, size, name in entries:
        letters = name.rstrip(b"\0").decode("ascii", "replace")
        yield "".join(each if each.isalnum() else "_" for each in letters), content[start : start + size]


def save(stream: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file)
