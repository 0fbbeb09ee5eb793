"""A chain of Ogg streams is told from one stream, and from streams side by side."""

from __future__ import annotations

import io

import numpy as np
import pytest

from resonance_engine.audio.ogg_links import has_more_links


def page(serial: int, granule: int, flags: int = 0, size: int = 4000) -> bytes:
    segments = bytes([255] * (size // 255))
    header = b"OggS\0" + bytes([flags]) + granule.to_bytes(8, "little", signed=True) + serial.to_bytes(4, "little")
    return header + bytes(8) + bytes([len(segments)]) + segments + bytes(255 * len(segments))


def link(*serials: int, pages: int = 200, first: int = 0) -> bytes:
    """The pages of streams side by side."""
    begin = b"".join(page(serial, 0, 2, 300) for serial in serials)
    rest = [page(serial, first + 1000 * number) for number in range(pages) for serial in serials]
    return begin + b"".join(rest)


@pytest.mark.parametrize("size", [1, 30, 200, 700])
@pytest.mark.parametrize("serials", [(1,), (1, 2), (7, 8, 9)])
def test_streams_side_by_side_are_one_link(size: int, serials: tuple[int, ...]) -> None:
    assert not has_more_links(io.BytesIO(link(*serials, pages=size)))
    assert not has_more_links(io.BytesIO(link(*serials, pages=size, first=10**9)))
    assert not has_more_links(io.BytesIO(link(*serials, pages=size) + page(serials[0], -1)))


@pytest.mark.parametrize("second", [1, 2])
@pytest.mark.parametrize("shares", [(500, 500), (900, 100), (50, 950), (300, 300, 30)])
def test_links_of_another_stream_or_of_the_same_number(second: int, shares: tuple[int, ...]) -> None:
    chain = b"".join(link(second if number else 1, pages=count) for number, count in enumerate(shares))
    assert has_more_links(io.BytesIO(chain))


def test_what_is_no_ogg_is_no_chain() -> None:
    random = np.random.default_rng(0)
    for content in (b"", b"OggS", bytes(100_000), random.bytes(300_000), link(1)[:50]):
        assert not has_more_links(io.BytesIO(content))
