"""Chromaprint's compressed fingerprints are read bit by bit, and differ by the share of their bits."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.search.fingerprint import bit_error_rate, decode_fingerprint

# From the tests of Chromaprint's decompressor and of its command line.
KNOWN = {
    b"\0\0\0\1\1": [1],
    b"\0\0\0\1\x49\0": [7],
    b"\0\0\0\1\7\0": [1 << 6],
    b"\0\0\0\1\7\2": [1 << 8],
    b"\0\0\0\2\x41\0": [1, 0],
    b"\0\0\0\2\1\0": [1, 1],
}
NINETEEN = "AQAAEwkjrUmSJQpUHflR9mjSJMdZpcO_Imdw9dCO9Clu4_wQPvhCB01w6xAtXNcAp5RASgDBhDSCGGIAcwA"


def compress(words: np.ndarray) -> str:
    """Compress subfingerprints as Chromaprint does, a number at a time."""
    small, large, before = [], [], 0
    for word in words.tolist():
        last = 0
        for position in range(1, 33):
            if (word ^ before) >> (position - 1) & 1:
                small.append(min(position - last, 7))
                large += [position - last - 7] if position - last >= 7 else []
                last = position
        small.append(0)
        before = word
    body = b"".join(pack(numbers, width) for numbers, width in ((small, 3), (large, 5)))
    data = b"\1" + len(words).to_bytes(3, "big") + body
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def pack(numbers: list[int], width: int) -> bytes:
    """Numbers of `width` bits, the lowest first, filled up to whole bytes."""
    text = "".join(f"{number:0{width}b}"[::-1] for number in numbers)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8][::-1], 2) for at in range(0, len(text), 8))


def subfingerprints(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)


@pytest.mark.parametrize(("data", "words"), KNOWN.items(), ids=range(len(KNOWN)))
def test_what_chromaprint_tests_with(data: bytes, words: list[int]) -> None:
    decoded = decode_fingerprint(base64.urlsafe_b64encode(data).decode().rstrip("="))
    assert decoded is not None
    assert decoded.tolist() == words


def test_a_real_fingerprint_has_the_length_of_its_header() -> None:
    decoded = decode_fingerprint(NINETEEN)
    assert decoded is not None
    assert len(decoded) == 19


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40))
def test_what_was_compressed_comes_back(words: list[int]) -> None:
    decoded = decode_fingerprint(compress(np.array(words, np.uint32)))
    assert decoded is not None
    assert decoded.tolist() == words


@given(st.binary(max_size=60))
def test_any_bytes_are_a_fingerprint_or_none(data: bytes) -> None:
    for text in (base64.urlsafe_b64encode(data).decode(), data.decode("latin-1")):
        decoded = decode_fingerprint(text)
        assert decoded is None or decoded.dtype == np.uint32


@pytest.mark.parametrize("text", ["", "no fingerprint", NINETEEN[:40], "é"])
def test_what_is_no_fingerprint_is_none(text: str) -> None:
    assert decode_fingerprint(text) is None


@pytest.mark.parametrize("shift", [0, 1, 40, -70])
def test_a_copy_is_recognised_at_any_offset(shift: int) -> None:
    words = subfingerprints(400, 1)
    copy = words[shift:] if shift >= 0 else np.concatenate([subfingerprints(-shift, 2), words])
    damaged = copy ^ np.where(np.arange(len(copy)) % 4 == 0, np.uint32(0b1111), np.uint32(0))
    assert bit_error_rate(words, copy) == 0.0
    assert bit_error_rate(words, damaged) == pytest.approx(4 / 32 / 4, abs=2e-3)


def test_two_recordings_differ_in_half_of_their_bits() -> None:
    rate = bit_error_rate(subfingerprints(900, 3), subfingerprints(900, 4))
    assert rate is not None
    assert 0.45 < rate < 0.5


def test_what_is_short_or_does_not_change_shows_nothing() -> None:
    words = subfingerprints(79, 5)
    assert bit_error_rate(words, words) is None
    silence = np.full(900, 627964279, np.uint32)
    assert bit_error_rate(silence, silence) is None
