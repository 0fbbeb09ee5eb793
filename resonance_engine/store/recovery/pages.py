"""Read rows from the pages of an SQLite file without SQLite: what is left of a file that it can't open.

Each leaf of a table is a page that stands for itself, whatever happened to the pages that lead to it. Source: the
database file format, https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Value = None | int | float | str | bytes
Row = tuple[int, tuple[Value, ...]]

TABLE_LEAF = 0x0D
HEADER = 100  # bytes at the beginning of the first page that belong to the file
USUAL_PAGE_SIZE = 16384  # see `sqlite_file.WRITE_PRAGMAS`
FRAME_HEADER = 24
LOG_HEADER = 32
LONGEST_ROW = 2**26  # above `arrays.MAX_BYTES`
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclass(frozen=True)
class Pages:
    """The pages of a file, those that its write-ahead log holds newer ones of among them; `size` in bytes."""

    file: BinaryIO
    size: int
    count: int
    newer: dict[int, bytes]

    def read(self, number: int) -> bytes:
        """Return a page by its number, from 1; shorter or empty beyond the end of the file."""
        if number in self.newer:
            return self.newer[number]
        self.file.seek((number - 1) * self.size)
        return self.file.read(self.size)

    def rows(self) -> Iterator[Row]:
        """Yield rowid and values of every row in the leaves of tables that are in use, in the order of the file."""
        free = self._free()
        for number in range(1, self.count + 1):
            if number not in free:
                yield from self._rows_of(self.read(number), HEADER if number == 1 else 0)

    def _free(self) -> set[int]:
        """Return the pages of the free list, which hold deleted rows alone, as far as it can be followed."""
        head = self.read(1)[:HEADER]
        if len(head) < HEADER or not head.startswith(b"SQLite format 3\0"):
            return set()
        free: set[int] = set()
        [trunk] = struct.unpack_from(">I", head, 32)
        while 0 < trunk <= self.count and trunk not in free:
            page = self.read(trunk)
            if len(page) < self.size:
                break
            free.add(trunk)
            trunk, leaves = struct.unpack_from(">II", page)
            if leaves <= self.size // 4 - 2:
                free.update(struct.unpack_from(f">{leaves}I", page, 8))
        return free

    def _rows_of(self, page: bytes, start: int) -> Iterator[Row]:
        if len(page) < self.size or page[start] != TABLE_LEAF:
            return
        [cells] = struct.unpack_from(">H", page, start + 3)
        if start + 8 + 2 * cells > self.size:
            return
        for place in struct.unpack_from(f">{cells}H", page, start + 8):
            try:
                yield self._row(page, place)
            except (ValueError, IndexError, struct.error):  # bytes that are no row; the next one may be whole
                continue

    def _row(self, page: bytes, place: int) -> Row:
        length, place = _varint(page, place)
        number, place = _varint(page, place)
        if length > LONGEST_ROW:
            raise ValueError("no row of ours is as long")
        here = self._local(length)
        payload = page[place : place + here]
        if here < length:
            [following] = struct.unpack_from(">I", page, place + here)
            payload += self._overflow(following, length - here)
        if len(payload) != length:
            raise ValueError("the row is cut off")
        return number - 2**64 if number >= 2**63 else number, tuple(_values(payload))

    def _local(self, length: int) -> int:
        """Return how many bytes of a row lie on the page itself."""
        most = self.size - 35
        if length <= most:
            return length
        least = (self.size - 12) * 32 // 255 - 23
        part = least + (length - least) % (self.size - 4)
        return part if part <= most else least

    def _overflow(self, number: int, length: int) -> bytes:
        parts = []
        while length > 0:
            if not 0 < number <= self.count:
                raise ValueError("the row goes on nowhere")
            page = self.read(number)
            [number] = struct.unpack_from(">I", page)
            parts.append(page[4 : 4 + length])
            length -= self.size - 4
        return b"".join(parts)


def open_pages(file: BinaryIO, path: Path) -> Pages:
    """Return the pages of an open file whose write-ahead log, if any, lies beside `path`."""
    head = file.read(HEADER)
    size = struct.unpack_from(">H", head, 16)[0] if len(head) == HEADER else 0
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1):
        size = USUAL_PAGE_SIZE
    newer = _logged(path.with_name(f"{path.name}-wal"), size)
    count = -(-file.seek(0, 2) // size)
    return Pages(file, size, max([count, *newer]), newer)


def _logged(path: Path, size: int) -> dict[int, bytes]:
    """Return the last committed pages in a write-ahead log, by number."""
    committed: dict[int, bytes] = {}
    try:
        log = path.read_bytes()
    except OSError:
        return committed
    pending: dict[int, bytes] = {}
    for at in range(LOG_HEADER, len(log) - FRAME_HEADER - size + 1, FRAME_HEADER + size):
        number, pages_then = struct.unpack_from(">II", log, at)
        if log[at + 8 : at + 16] != log[16:24]:  # left from before the log was begun anew
            break
        pending[number] = log[at + FRAME_HEADER : at + FRAME_HEADER + size]
        if pages_then:  # only the last one of a transaction says how many pages there are
            committed.update(pending)
            pending = {}
    return committed


def _values(payload: bytes) -> Iterator[Value]:
    end, place = _varint(payload, 0)
    body = end
    while place < end:
        kind, place = _varint(payload, place)
        value, length = _value(payload, body, kind)
        body += length
        yield value


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    """Decode a value of a serial type; return how many bytes it takes, too."""
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), 0
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], 8
    length = INTEGERS[kind] if kind in INTEGERS else (kind - 12) // 2
    content = payload[at : at + length]
    if kind in (10, 11) or len(content) != length:
        raise ValueError("no such value")
    if kind in INTEGERS:
        return int.from_bytes(content, "big", signed=True), length
    return (content.decode() if kind % 2 else content), length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Decode a number of 1 to 9 bytes; return the place after it, too."""
    value = 0
    for _ in range(8):
        byte = data[place]
        place += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place
    return value << 8 | data[place], place + 1
