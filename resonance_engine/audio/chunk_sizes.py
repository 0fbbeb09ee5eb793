"""Mend the size of the audio in files of chunks (WAV, AIFF, Wave64, CAF), where what is behind it is no chunk.

A WAV file of more than 4 GiB states its size modulo 4 GiB, and one whose writer was stopped states what was written
first. FFmpeg reads no further than that.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from typing import BinaryIO

MOST_CHUNKS = 1000
"""Chunks that are looked at before or behind the audio."""

LEAST_MISSING = 0.02
"""Share of the file that must lie behind the stated end for the size to be wrong."""

WAVE64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


class Layout(NamedTuple):
    """How a kind of file writes its chunks: where the first is, and what the header of each consists of.

    `tail` is the end of the name of the audio chunk, behind four letters; `whole` says that sizes count the header.
    """

    start: int
    audio: bytes
    size_bytes: int
    order: Literal["little", "big"]
    pad: int
    whole: bool = False

    @property
    def header(self) -> int:
        return len(self.audio) + self.size_bytes


LAYOUTS = {
    b"RIFF": Layout(12, b"data", 4, "little", 2),
    b"RF64": Layout(12, b"data", 4, "little", 2),
    b"BW64": Layout(12, b"data", 4, "little", 2),
    b"FORM": Layout(12, b"SSND", 4, "big", 2),
    b"caff": Layout(8, b"data", 8, "big", 1),
    b"riff": Layout(40, b"data" + WAVE64_TAIL, 8, "little", 8, whole=True),
}


class Chunk(NamedTuple):
    """A chunk's name, where its content begins and ends by its header."""

    name: bytes
    begin: int
    end: int


def mend_sizes(file: BinaryIO) -> dict[int, bytes]:
    """Return the bytes to put into a file, by offset, so that its header states all the audio that it holds.

    Empty where the header is right, where it promises more than there is or leaves the size open, which FFmpeg takes
    for the end of the file, and for other kinds of file.
    """
    layout = LAYOUTS.get(magic := file.read(4))
    if layout is None:
        return {}
    size = file.seek(0, os.SEEK_END)
    offset, wide = layout.start, 0
    for _ in range(MOST_CHUNKS):
        chunk = _read_chunk(file, offset, layout)
        if chunk is None:
            return {}
        if chunk.name == b"ds64":
            wide = chunk.begin + 8
        elif chunk.name == layout.audio:
            return _mend_audio(file, chunk, layout, size, wide if magic in (b"RF64", b"BW64") else 0)
        offset = chunk.end
    return {}


def _mend_audio(file: BinaryIO, chunk: Chunk, layout: Layout, size: int, wide: int) -> dict[int, bytes]:
    """Return the mended size of the audio chunk; `wide` is where an RF64 file states it, 0 for other files."""
    begin, stated, width = chunk.begin, chunk.end - chunk.begin, layout.size_bytes
    place = begin - width
    open_ended = (0, (1 << 8 * width) - 1)
    if wide:
        file.seek(wide)
        stated, place, width = int.from_bytes(file.read(8), "little"), wide, 8
    elif stated in open_ended or stated % (1 << 32) in open_ended:
        return {}
    missing = size - begin - stated
    if missing < 0:
        is_right = not wide  # FFmpeg refuses an RF64 file that ends before its audio
    else:
        is_right = missing < LEAST_MISSING * size or _are_chunks(file, begin + stated, layout, size)
    if is_right:
        return {}
    true = size - begin + (layout.header if layout.whole else 0)
    # 32 bits do not hold it where it wrapped: then 0, which means to the end.
    return {place: (true if true < 1 << 8 * width else 0).to_bytes(width, layout.order)}


def _are_chunks(file: BinaryIO, offset: int, layout: Layout, size: int) -> bool:
    """Return whether chunks fill the file from `offset` on."""
    offset = -(-offset // layout.pad) * layout.pad
    for _ in range(MOST_CHUNKS):
        if offset >= size - layout.header:
            return offset <= size
        chunk = _read_chunk(file, offset, layout)
        if chunk is None or not all(32 <= letter < 127 for letter in chunk.name[:4]) or chunk.end > size + layout.pad:
            return False
        offset = chunk.end
    return True


def _read_chunk(file: BinaryIO, offset: int, layout: Layout) -> Chunk | None:
    """Return the chunk whose header is at `offset`, ending where the next begins; None where the file ends before."""
    file.seek(offset)
    head = file.read(layout.header)
    if len(head) < layout.header:
        return None
    name = head[: len(layout.audio)]
    begin = offset + layout.header
    end = begin + int.from_bytes(head[len(layout.audio) :], layout.order)
    if layout.whole:
        end = max(begin, end - layout.header)
    return Chunk(name, begin, end if name == layout.audio else -(-end // layout.pad) * layout.pad)


class MendedFile(io.RawIOBase):
    """A file from its beginning, with some of its bytes replaced, in reading only."""

    def __init__(self, file: BinaryIO, mended: dict[int, bytes]) -> None:
        self.file = file
        self.mended = mended
        self.name = file.name
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read as the file does; what lies at a mended place is replaced."""
        begin = self.file.tell()
        data = bytearray(self.file.read(size))
        for place, value in self.mended.items():
            first, last = max(place, begin), min(place + len(value), begin + len(data))
            if first < last:
                data[first - begin : last - begin] = value[first - place : last - place]
        return bytes(data)
