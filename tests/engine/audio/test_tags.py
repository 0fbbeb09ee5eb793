"""Names and genre are read from whatever kind of tag the file carries."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import mutagen
import pytest
from mutagen.id3 import ID3, TALB, TCON, TIT2, TPE1, TPE2

from resonance_engine.audio.windows import AudioTags, read_tags
from tests.audio_files import FORMATS, MUSIC_FORMATS, tune, write_audio

if TYPE_CHECKING:
    from pathlib import Path

TAGS = AudioTags(artist="Sigur Rós", title="Ára bátur", album="Með suð…", albumartist="Þeir", genre="Post-Rock")

FRAMES = (TPE1, TIT2, TALB, TPE2, TCON)
MP4 = ("\xa9ART", "\xa9nam", "\xa9alb", "aART", "\xa9gen")
NAMES = {
    "aac": MP4,
    "alac": MP4,
    "wma": ("Author", "Title", "WM/AlbumTitle", "WM/AlbumArtist", "WM/Genre"),
    "wavpack": ("Artist", "Title", "Album", "Album Artist", "Genre"),
}
"""How mutagen names them; elsewhere they are Vorbis comments or ID3 frames."""


@pytest.fixture
def path(tmp_path: Path, kind: str) -> Path:
    return write_audio(tmp_path / f"song{FORMATS[kind].suffix}", tune(0.5, 48_000), 48_000, kind)


@pytest.mark.parametrize("kind", MUSIC_FORMATS)
def test_tags_of_every_format(path: Path, kind: str) -> None:
    file = mutagen.File(path)
    if kind in ("mp3", "wav", "aiff"):
        if file.tags is None:
            file.add_tags()
        for frame, text in zip(FRAMES, astuple(TAGS), strict=True):
            file.tags.add(frame(encoding=1, text=text))
    else:
        names = NAMES.get(kind, ("ARTIST", "TITLE", "ALBUM", "ALBUMARTIST", "GENRE"))
        for name, text in zip(names, astuple(TAGS), strict=True):
            file[name] = text
    file.save()

    assert read_tags(path) == TAGS


@pytest.mark.parametrize("kind", MUSIC_FORMATS)
def test_a_file_without_tags_has_empty_ones(path: Path) -> None:
    assert read_tags(path) == AudioTags(artist="", title="", album="")


@pytest.mark.parametrize("kind", ["mp3"])
def test_id3v1_alone_is_read(path: Path) -> None:
    ID3().save(path)
    with path.open("ab") as file:
        file.write(b"TAG" + b"Old title".ljust(30, b"\0") + b"Old artist".ljust(30, b"\0") + bytes(64) + b"\xff")

    assert read_tags(path) == AudioTags(artist="Old artist", title="Old title")


@pytest.mark.parametrize("kind", ["flac"])
@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b"Caf\xe9 Tacvba", "Caf\ufffd Tacvba"),
        (b"cut off \xe2\x80", "cut off \ufffd"),
        (b"  spaced \t", "spaced"),
        (b"x" * 70_000, "x" * 70_000),
        (b"", ""),
        (b"one=two=three", "one=two=three"),
        (b"two\nlines", "two\nlines"),
    ],
)
def test_odd_text_is_read_as_far_as_it_can_be(path: Path, raw: bytes, read: str) -> None:
    """Whatever bytes other programs wrote, although the format asks for UTF-8."""
    file = mutagen.File(path)
    placeholder = b"\x01" * len(raw)
    file["ARTIST"], file["title"] = placeholder.decode(), "Seven"
    file.save()
    if raw:
        path.write_bytes(path.read_bytes().replace(placeholder, raw))

    assert read_tags(path) == AudioTags(artist=read, title="Seven")
