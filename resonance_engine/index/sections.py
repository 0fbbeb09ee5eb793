"""Files of arrays: a header, then sections at whole pages, which are mapped into memory and read where they are used.

The first line has the format, the second the header as JSON, the third its CRC-32. The small sections are compared with
their checksums when a file is opened; whoever reads the large ones verifies what is read.
"""

from __future__ import annotations

import json
import mmap
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from resonance_engine.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

MAGIC_WORDS = b"resonance index "
MAGIC = MAGIC_WORDS + b"3"
HEADER_LIMIT = 65_536
PAGE = 4096
COLUMNS, ROWS = 64, 128  # 64-bit words of a block of which a checksum has the sums
# The sections that a file may have. The LARGE ones have checksums of their parts in others.
SECTIONS = {
    "ids": "<i8",
    "order": "<i4",
    "places": "<i4",
    "bounds": "<i8",
    "centroids": "<f4",
    "row_sums": "<u8",
    "code_sums": "<u4",
    "moments": "<f8",
    "codes": "|u1",
    "vectors": "<f2",
}
LARGE = ("codes", "vectors")


class DamagedIndexError(ValueError):
    """What an index file holds is not what was written."""


@dataclass(frozen=True, eq=False)
class MappedFile:
    """The header of a file, its sections as read-only arrays over the mapped file, and where they start in it."""

    header: Mapping[str, Any]
    arrays: Mapping[str, Array]
    starts: Mapping[str, int]
    memory: mmap.mmap

    def release(self, names: Iterable[str]) -> None:
        """Give back the memory of sections, which are read again when they are used again."""
        for name in self.arrays.keys() & {*names}:
            start = -(-self.starts[name] // mmap.PAGESIZE) * mmap.PAGESIZE
            if hasattr(mmap, "MADV_DONTNEED") and (size := self.starts[name] + self.arrays[name].nbytes - start) > 0:
                self.memory.madvise(mmap.MADV_DONTNEED, start, size)


def write_sections(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a file atomically; raises OSError where that is impossible."""
    sections, place = {}, 0
    for name, array in arrays.items():
        check = None if name in LARGE else checksum(array)
        sections[name] = [list(array.shape), place, check]
        place += padded(array.nbytes)
    text = json.dumps({**header, "sections": sections}).encode()
    with replace_file(path) as file:
        for part in _parts(b"%s\n%s\n%08x\n" % (MAGIC, text, zlib.crc32(text)), arrays.values()):
            file.write(part)


def _parts(head: bytes, arrays: Iterable[Array]) -> Iterator[memoryview | bytes]:
    yield head
    size = len(head)
    for array in arrays:
        yield bytes(padded(size) - size)
        yield byte_view(array)
        size = array.nbytes


def read_header(file: BinaryIO) -> dict[str, Any]:
    """Read the header of a file, and leave its position where the header ends; ValueError for another file."""
    if file.readline(HEADER_LIMIT) != MAGIC + b"\n":
        raise ValueError("it has another format")
    text = file.readline(HEADER_LIMIT)[:-1]
    if file.readline(HEADER_LIMIT) != b"%08x\n" % zlib.crc32(text):
        raise DamagedIndexError("its header is damaged")
    header: dict[str, Any] = json.loads(text)
    return header


def map_sections(path: Path) -> MappedFile:
    """Map a file into memory; raises OSError, and ValueError for another file and for one that is damaged."""
    with path.open("rb") as file:  # once, for another file may take its place meanwhile
        header = read_header(file)
        first = padded(file.tell())
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays: dict[str, Array] = {}
    starts: dict[str, int] = {}
    end = first
    for name, (shape, place, check) in header["sections"].items():
        kind, count = np.dtype(SECTIONS[name]), int(np.prod(shape, dtype=np.int64))
        starts[name] = first + place
        end = starts[name] + count * kind.itemsize
        if end > len(memory):
            raise DamagedIndexError("its content is damaged")
        array = np.frombuffer(memory, kind, count, starts[name]) if count else np.empty(0, kind)
        arrays[name] = array.reshape(shape)
        if name not in LARGE and checksum(array) != check:
            raise DamagedIndexError("its content is damaged")
    if end != len(memory):
        raise DamagedIndexError("its content is damaged")
    return MappedFile(header, arrays, starts, memory)


def checksum(array: Array) -> int:
    """Return a checksum of an array's bytes: the CRC-32 of sums of its 64-bit words, in blocks of columns.

    It notices whatever changes a sum, such as a changed bit or a page of zeros, at the speed of memory; CRC-32 of all
    bytes would take ten times as long.
    """
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    block = 8 * COLUMNS * ROWS
    whole = len(data) // block * block
    sums = data[:whole].view(np.uint64).reshape(-1, ROWS, COLUMNS).sum(axis=1)
    return zlib.crc32(byte_view(data[whole:]), zlib.crc32(byte_view(sums)))


def byte_view(array: Array) -> memoryview:
    """Return the bytes of an array, without a copy where it is in one piece."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def padded(size: int) -> int:
    """Return a number of bytes, rounded up to whole pages."""
    return -(-size // PAGE) * PAGE
