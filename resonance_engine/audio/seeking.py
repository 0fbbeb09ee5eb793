"""Seek to a second of an audio file without reading all that lies before it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av.error

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

LONG_SECONDS = 1200.0
"""Seconds from which reading up to the wanted place would cost much more than a song does."""

INDEXLESS = {"aac", "ac3", "amr", "dts", "eac3", "loas", "tak"}
"""Formats, by FFmpeg's names, in which it reaches a place only by reading everything before it."""

FAST_SEEK = 1 << 19
"""AVFMT_FLAG_FAST_SEEK of FFmpeg's avformat.h."""

WAVPACK_STEP = 1 << 17
"""Bytes down to which a place in a WavPack file is narrowed: one or two blocks."""


def can_seek(container: InputContainer, duration: float) -> bool:
    """Return whether a place in a file of so many seconds is reached without reading hours of it."""
    return container.format.name not in INDEXLESS or duration <= LONG_SECONDS


def seek(container: InputContainer, stream: AudioStream, second: float, duration: float) -> bool:
    """Move to a packet shortly before `second`; False where the file cannot be sought.

    An MP3 is sought frame by frame, which is exact; a long one by proportion of its bytes, so that its
    timestamps from there on are estimates where the bit rate varies.
    """
    form = container.format.name
    if not stream.time_base or not can_seek(container, duration):
        return False
    if form == "mp3" and duration > LONG_SECONDS:
        container.flags |= FAST_SEEK
    ticks = round(second / stream.time_base) + (stream.start_time or 0)
    offset = 0
    if form == "wv":
        with Path(container.name).open("rb") as file:
            offset = find_wavpack_block(file, round(second * stream.rate))
    try:
        if offset:
            container.seek(offset, stream=stream, unsupported_byte_offset=True)
        else:
            container.seek(ticks, stream=stream)
    except (av.error.FFmpegError, OverflowError):
        return False
    return True


def find_wavpack_block(file: BinaryIO, sample: int) -> int:
    """Find the offset of a WavPack block that begins at or shortly before `sample`, by bisection; 0 for the first.

    FFmpeg would read every block up to it. Each block's header says where it belongs.
    """
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > WAVPACK_STEP:
        middle = (low + high) // 2
        block = _next_wavpack_block(file, middle, high)
        if block is None or block[1] > sample:
            high = middle
        else:
            low = block[0]
    return low


def _next_wavpack_block(file: BinaryIO, begin: int, end: int) -> tuple[int, int] | None:
    """Return offset and first sample of the first block that begins in [begin, end)."""
    chunk = 1 << 14
    for offset in range(begin, end, chunk):
        file.seek(offset)
        data = file.read(chunk + 31)  # so that a header across the seam is seen whole
        block = data.find(b"wvpk")
        while 0 <= block <= len(data) - 32:
            version = int.from_bytes(data[block + 8 : block + 10], "little")
            if 0x402 <= version <= 0x410:
                index = int.from_bytes(data[block + 16 : block + 20], "little") + (data[block + 10] << 32)
                return offset + block, index
            block = data.find(b"wvpk", block + 1)
    return None
