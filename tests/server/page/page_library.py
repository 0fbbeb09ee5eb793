"""The library of sixty known sounds, with audio files, a cover, a map, and titles that would be code if they could."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, Self

import numpy as np

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.library_map import KEYS, POINTS, SIZE, array_name
from resonance_engine.store import Analysis
from resonance_engine.worker.worker import FileAnalysis
from tests.audio_files import tune, write_audio
from tests.embeddings import key
from tests.plugin.synthetic_library import SyntheticLibrary
from tests.plugin.synthetic_tracks import SOUNDS

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.errors import AudioError

SECONDS, RATE = 8, 16_000
HOSTILE = {
    1: "<img src=x onerror=window.ran=1>",
    2: "</script><script>window.ran=1</script>",
    3: "\u202egnorw\u202c \u2066\u200f way",
    4: "a\u2028b\u2029c \x1b[31m",
}
SENT = 7  # the sound of any file that is sent


class PageLibrary(SyntheticLibrary):
    """A library whose tracks can be played; `folder`/music has a file for each."""

    @classmethod
    def create(cls, folder: Path) -> Self:
        library = super().create(folder)
        music = folder / "music"
        music.mkdir()
        song = write_audio(music / "song.flac", tune(SECONDS, RATE, channels=1), RATE, kind="flac")
        for number in range(1, SOUNDS + 1):
            os.link(song, music / f"{number}.flac")
            item = library.lib.get_item(number)
            assert item is not None
            item.path = os.fsencode(music / f"{number}.flac")
            item.title = HOSTILE.get(number, item.title)
            item.length = float(SECONDS)
            item.store()
        (folder / "cover.png").write_bytes(make_png())
        album = library.lib.get_album(1)
        assert album is not None
        album.artpath = os.fsencode(folder / "cover.png")
        album.store()
        library.draw_map()
        return library

    def draw_map(self) -> None:
        """Store a map on which track N lies at N tenths of a radian on a spiral."""
        turn = np.arange(1, SOUNDS + 1) / 10
        points = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1).astype(np.float32)
        keys = np.array([np.frombuffer(key(number), np.uint8) for number in range(1, SOUNDS + 1)])
        arrays = {KEYS: keys, POINTS: points, f"{POINTS}{SIZE}": np.array([SOUNDS])}
        sidecar = Sidecar(self.lib)
        with sidecar.store.write():
            sidecar.store.arrays.put(
                sidecar.id, {array_name(self.model.id, name): array for name, array in arrays.items()}
            )
        sidecar.close()

    def analyse(self, path: Path, passage: tuple[float, float] | None) -> FileAnalysis | AudioError:
        del passage
        return FileAnalysis(path, key(1000), 0.1, self.embedding(SENT), Analysis("1", self.attributes(SENT)))


def make_png(width: int = 64) -> bytes:
    """A square picture in one colour."""
    rows = b"".join(b"\0" + bytes((14, 124, 134)) * width for _ in range(width))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(make_chunk, (*chunks, (b"IEND", b""))))


def make_chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, content = chunk
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
