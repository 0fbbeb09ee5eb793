"""Tell whether an Ogg file is a chain: several recordings in a row, each with timestamps of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from typing import BinaryIO

PLACES = 64
"""Places of a file at which a page is read: a link that takes less than so many parts of the file may be missed."""

LARGEST_PAGE = 65_307
HEADER = 27
UNKNOWN = (1 << 64) - 1
"""The granule position of a page on which no packet ends."""


class Page(NamedTuple):
    """Header of a page: its offset, number of stream, granule position, and whether it begins a stream."""

    offset: int
    serial: int
    granule: int
    begins: bool


def has_more_links(file: BinaryIO) -> bool:
    """Return whether streams follow in an Ogg file that do not begin at its beginning.

    By pages at evenly spaced places and the last one: there is a stream unknown at the beginning, or one whose position
    goes back.
    """
    size = file.seek(0, os.SEEK_END)
    serials: set[int] = set()
    page = _next_page(file, 0)
    while page and page.begins:
        serials.add(page.serial)
        page = _next_page(file, page.offset + HEADER)
    if page is None:
        return False
    positions: dict[int, int] = {}
    for place in np.linspace(page.offset, max(page.offset, size - LARGEST_PAGE), PLACES).astype(int).tolist():
        page = _next_page(file, place)
        if page is None or page.granule == UNKNOWN:
            continue
        if page.serial not in serials or page.granule < positions.get(page.serial, 0):
            return True
        positions[page.serial] = page.granule
    return False


def _next_page(file: BinaryIO, offset: int) -> Page | None:
    """Return the first page that begins at `offset` or behind it, within the size of a page."""
    file.seek(offset)
    data = file.read(LARGEST_PAGE + HEADER)
    place = data.find(b"OggS\0")
    if not 0 <= place <= len(data) - HEADER:
        return None
    granule = int.from_bytes(data[place + 6 : place + 14], "little")
    serial = int.from_bytes(data[place + 14 : place + 18], "little")
    return Page(offset + place, serial, granule, bool(data[place + 5] & 2))
