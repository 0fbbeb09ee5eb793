"""The content key names the recording: no tag changes it, other music does."""

from __future__ import annotations

import shutil
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import av
import mutagen
import numpy as np
import pytest
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2
from mutagen.asf import ASF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, TALB, TIT2, TPE1, TXXX
from mutagen.mp4 import MP4, MP4Cover
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from resonance_engine.audio.content_key import find_audio_end
from resonance_engine.audio.windows import content_key
from tests.audio_files import FORMATS, MUSIC_FORMATS, tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Callable

    from mutagen._file import FileType

RATE = 48_000
KINDS = (*MUSIC_FORMATS, "adts", "mp3-vbr")
WHOLE, START = 1 << 30, 50_000
"""Everything is hashed, or only the beginning and the length."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("originals")
    music = tune(5.0, RATE)
    made = {kind: write_audio(folder / f"{kind}{FORMATS[kind].suffix}", music, RATE, kind) for kind in KINDS[:-1]}
    made["mp3-vbr"] = write_audio(folder / "vbr.mp3", music, RATE, quality=3.0, muxer_options={"write_xing": "0"})
    return made


@pytest.fixture
def cover() -> bytes:
    """A large picture, with the beginnings of MP3 and AAC frames in it that chance puts there."""
    noise = np.random.default_rng(1).integers(0, 256, 1_200_000).astype(np.uint8)
    noise[::5000], noise[1::5000], noise[2::5000], noise[3::5000] = 0xFF, 0xFB, 0x94, 0x64
    noise[777::9000], noise[778::9000] = 0xFF, 0xF1
    return noise.tobytes()


def retag_id3(path: Path, cover: bytes, version: int = 4, v1: int = 0, separator: str = "/") -> None:
    tags = ID3()
    tags.add(TIT2(encoding=1, text="Another title"))
    tags.add(TPE1(encoding=1, text=["One", "Two"]))
    tags.add(TALB(encoding=1, text="Another album"))
    tags.add(TXXX(encoding=1, desc="beets", text="yes"))
    tags.add(COMM(encoding=1, lang="eng", desc="", text="word " * 1000))
    tags.add(APIC(encoding=0, mime="image/jpeg", type=3, desc="", data=cover))
    if version == 3:
        tags.update_to_v23()
    tags.save(path, v1=v1, v2_version=version, v23_sep=separator)


def retag_ape(path: Path, cover: bytes) -> None:
    tags = APEv2()
    tags["Title"], tags["Artist"], tags["Album"] = "Another title", "Another artist", "Another album"
    tags["Cover Art (Front)"] = mutagen.apev2.APEValue(b"cover.jpg\0" + cover, mutagen.apev2.BINARY)
    tags.save(path)


def retag_comments(kind: type[FileType]) -> Callable[[Path, bytes], None]:
    def retag(path: Path, cover: bytes) -> None:
        file = kind(path)
        file["TITLE"], file["ARTIST"], file["COMMENT"] = "Another title", ["One", "Two"], "word " * 1000
        picture = Picture()
        picture.data, picture.mime, picture.type = cover, "image/jpeg", 3
        if isinstance(file, FLAC):
            file.add_picture(picture)
        else:
            file["METADATA_BLOCK_PICTURE"] = picture.write().hex()
        file.save()

    return retag


def retag_mp4(path: Path, cover: bytes) -> None:
    file = MP4(path)
    file["\xa9nam"], file["\xa9ART"], file["\xa9alb"] = "Another title", "Another artist", "Another album"
    file["covr"] = [MP4Cover(cover)]
    file.save()


def retag_asf(path: Path, cover: bytes) -> None:
    file = ASF(path)
    file["Title"], file["Author"], file["WM/AlbumTitle"] = "Another title", "Another artist", "Another album"
    file["WM/Picture"] = mutagen.asf.ASFByteArrayAttribute(cover)
    file.save()


def retag_chunk(kind: type[FileType]) -> Callable[[Path, bytes], None]:
    def retag(path: Path, cover: bytes) -> None:
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        file.tags.add(TIT2(encoding=3, text="Another title"))
        file.tags.add(APIC(encoding=0, mime="image/jpeg", type=3, desc="", data=cover))
        file.save()

    return retag


def retag_wavpack(path: Path, cover: bytes) -> None:
    file = WavPack(path)
    file["Title"], file["Cover Art (Front)"] = "Another title", mutagen.apev2.APEValue(cover, mutagen.apev2.BINARY)
    file.save()


def retag_all_ways(path: Path, cover: bytes) -> None:
    retag_id3(path, cover, v1=2)
    retag_ape(path, cover)


def retag_lyrics(path: Path, _: bytes) -> None:
    lyrics = b"LYRICSBEGIN" + b"IND0000200" + b"LYR00010" + b"la la \xff\xfb\x94d"
    path.write_bytes(path.read_bytes() + lyrics + f"{len(lyrics):06}LYRICS200".encode() + id3v1())


def retag_appended_id3(path: Path, _: bytes) -> None:
    """ID3v2.4 behind the audio, with its footer."""
    body = b"TIT2" + bytes([0, 0, 0, 8]) + bytes(2) + b"\x03Another"
    size = bytes([0, 0, 0, len(body)])
    path.write_bytes(path.read_bytes() + b"ID3\x04\0\x10" + size + body + b"3DI\x04\0\x10" + size)


def id3v1(extended: bool = False) -> bytes:
    return (b"TAG+" + b"x" * 223 if extended else b"") + b"TAG" + b"Another title".ljust(125, b"\0")


def retag_extended_id3v1(path: Path, _: bytes) -> None:
    path.write_bytes(path.read_bytes() + id3v1(extended=True))


RETAGGINGS: dict[str, dict[str, Callable[[Path, bytes], None]]] = {
    "mp3": {
        "id3v2.4": retag_id3,
        "id3v2.3": lambda path, cover: retag_id3(path, cover, version=3),
        "id3v2 and id3v1": lambda path, cover: retag_id3(path, cover, v1=2),
        "ape": retag_ape,
        "id3v2, id3v1 and ape": retag_all_ways,
        "lyrics3 and id3v1": retag_lyrics,
        "appended id3v2.4": retag_appended_id3,
        "extended id3v1": retag_extended_id3v1,
    },
    "adts": {"id3v2.4": retag_id3, "ape": retag_ape},
    "flac": {"comments": retag_comments(FLAC), "id3v2.4": retag_id3, "extended id3v1": retag_extended_id3v1},
    "vorbis": {"comments": retag_comments(OggVorbis)},
    "opus": {"comments": retag_comments(OggOpus)},
    "aac": {"atoms": retag_mp4},
    "alac": {"atoms": retag_mp4},
    "wav": {"id3 chunk": retag_chunk(WAVE)},
    "aiff": {"id3 chunk": retag_chunk(AIFF)},
    "wma": {"attributes": retag_asf},
    "wavpack": {"ape": retag_wavpack},
}
RETAGGINGS["mp3-vbr"] = RETAGGINGS["mp3"]


@pytest.mark.parametrize("head", [WHOLE, START], ids=["whole", "start"])
@pytest.mark.parametrize(
    ("kind", "retag"),
    [pytest.param(kind, retag, id=f"{kind}: {name}") for kind in KINDS for name, retag in RETAGGINGS[kind].items()],
)
def test_retagging_leaves_the_key_as_it_is(
    tmp_path: Path,
    originals: dict[str, Path],
    cover: bytes,
    kind: str,
    retag: Callable[[Path, bytes], None],
    head: int,
) -> None:
    original = originals[kind]
    path = Path(shutil.copy(original, tmp_path / f"renamed{original.suffix}"))

    retag(path, cover)

    assert path.read_bytes() != original.read_bytes()
    assert content_key(path, head=head) == content_key(original, head=head)
    retag(path, b"a small cover")
    assert content_key(path, head=head) == content_key(original, head=head), "after tagging it twice"


@pytest.mark.parametrize("kind", ["mp3", "aac", "alac", "flac", "wma", "aiff"])
def test_stripping_all_tags_leaves_the_key_as_it_is(tmp_path: Path, originals: dict[str, Path], kind: str) -> None:
    path = Path(shutil.copy(originals[kind], tmp_path / originals[kind].name))
    key = content_key(path)
    file = mutagen.File(path)
    file.delete()

    assert content_key(path) == key


def test_every_format_and_every_piece_of_music_has_its_own_key(tmp_path: Path, originals: dict[str, Path]) -> None:
    keys = {content_key(path) for path in originals.values()}
    other = tune(5.0, RATE, seed=1)
    for kind in MUSIC_FORMATS:
        keys.add(content_key(write_audio(tmp_path / f"{kind}{FORMATS[kind].suffix}", other, RATE, kind)))

    assert len(keys) == len(originals) + len(MUSIC_FORMATS)
    assert {len(key) for key in keys} == {16}


@pytest.mark.parametrize("kind", MUSIC_FORMATS)
def test_the_same_beginning_with_another_length_has_another_key(tmp_path: Path, kind: str) -> None:
    music = tune(6.0, RATE)
    keys = set()
    for seconds in (5, 6):
        path = write_audio(tmp_path / f"{seconds}{FORMATS[kind].suffix}", music[:, : seconds * RATE], RATE, kind)
        keys.add(content_key(path, head=START))

    assert len(keys) == 2


def test_a_flac_that_differs_only_behind_what_is_hashed_has_another_key(tmp_path: Path) -> None:
    """Its header holds a checksum of all samples."""
    music = tune(5.0, RATE)
    first = content_key(write_audio(tmp_path / "first.flac", music, RATE), head=START)
    music[:, -RATE:] *= -1

    assert content_key(write_audio(tmp_path / "second.flac", music, RATE), head=START) != first


@pytest.mark.parametrize(("head", "behind"), [(WHOLE, b""), (START, b"\n240000 1/48000")])
def test_a_key_is_the_same_with_every_version_of_the_decoder(
    originals: dict[str, Path], head: int, behind: bytes
) -> None:
    """Or an update would have every recording analysed again."""
    samples = originals["wav"].read_bytes()[-5 * RATE * 4 :]

    expected = blake2b(b"pcm_s16le 48000 2\n" + samples[:head] + behind, digest_size=16).digest()
    assert content_key(originals["wav"], head=head) == expected


@pytest.mark.parametrize("change", [{"rate": 24_000}, {"channels": 1}])
def test_the_same_samples_played_otherwise_have_another_key(tmp_path: Path, change: dict[str, int]) -> None:
    rate, channels = change.get("rate", RATE), change.get("channels", 2)
    samples = tune(4.0, RATE, channels=1)[0]
    first = write_audio(tmp_path / "first.wav", samples.reshape(-1, 2).T, RATE)
    second = write_audio(tmp_path / "second.wav", samples.reshape(-1, channels).T, rate)

    with av.open(str(first)) as one, av.open(str(second)) as two:
        data = [b"".join(bytes(packet) for packet in file.demux(audio=0)) for file in (one, two)]
    assert data[0] == data[1]
    assert content_key(first) != content_key(second)


def test_the_key_does_not_depend_on_how_pcm_is_cut_into_packets(tmp_path: Path, originals: dict[str, Path]) -> None:
    path = write_audio(tmp_path / "odd.wav", tune(5.0, RATE), RATE, muxer_options={"write_bext": "1"})

    assert content_key(path) == content_key(originals["wav"])


def test_only_the_beginning_of_a_long_file_is_read(tmp_path: Path) -> None:
    """Rewriting what lies behind it changes nothing."""
    path = write_audio(tmp_path / "long.wav", tune(30.0, RATE), RATE)
    key = content_key(path, head=1 << 20)
    content = bytearray(path.read_bytes())
    content[2 << 20 : 3 << 20] = bytes(1 << 20)
    path.write_bytes(content)

    assert content_key(path, head=1 << 20) == key
    assert content_key(path) != content_key(path, head=1 << 20)


def test_a_file_of_nothing_but_tags_ends_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "tags"
    path.write_bytes(id3v1() * 3 + id3v1(extended=True))

    with path.open("rb") as file:
        assert find_audio_end(file) == 0


def test_a_tag_that_claims_more_than_the_file_ends_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "liar"
    path.write_bytes(bytes(100) + b"APETAGEX" + bytes(4) + b"\xff\xff\xff\x7f" + bytes(16))

    with path.open("rb") as file:
        assert find_audio_end(file) == 0
