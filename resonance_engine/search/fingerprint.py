"""Chromaprint fingerprints: decode the compressed form, and compare two by their bit error rate.

The format is that of Chromaprint's `fingerprint_compressor.cpp`, which AcoustID's services and beets' `chroma` plugin
exchange: four bytes of header (algorithm, number of subfingerprints), then the positions of the set bits of each
subfingerprint XOR the one before, as differences of three bits, the rest of those above six as five bits each.
"""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

Fingerprint = NDArray[np.uint32]

HEADER = 4  # bytes
SMALL_BITS, LARGE_BITS = 3, 5
LARGEST_SMALL = 2**SMALL_BITS - 1  # a difference of this or more continues among the large ones
WORD = 32  # bits of a subfingerprint
HOP_SECONDS = 0.1238  # between two subfingerprints
SECONDS_SHIFTED = 10.0  # offsets that are tried
LEAST_OVERLAP = 80  # subfingerprints, ten seconds: fewer agree by chance
LEAST_DIFFERENT = 20  # different subfingerprints: silence and tones have fewer, and all agree


def decode_fingerprint(text: str) -> Fingerprint | None:
    """Decode a compressed fingerprint in URL-safe base64 to subfingerprints (n,); None for what is none."""
    try:
        data = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    count = int.from_bytes(data[1:HEADER], "big")
    bits = np.unpackbits(np.frombuffer(data[HEADER:], np.uint8), bitorder="little")
    small = _read_numbers(bits, SMALL_BITS)
    ends = np.flatnonzero(small == 0)[:count]
    if len(data) <= HEADER or not count or len(ends) < count:
        return None
    small = small[: ends[-1] + 1]
    large_at = np.flatnonzero(small == LARGEST_SMALL)
    start = -(-len(small) * SMALL_BITS // 8) * 8  # the large numbers begin with a byte
    large = _read_numbers(bits[start:], LARGE_BITS)
    if len(large) < len(large_at):
        return None
    steps = small.astype(np.int64)
    steps[large_at] += large[: len(large_at)]
    # Positions count from 1 in each subfingerprint anew, which an end, 0, closes.
    sums = np.cumsum(steps)
    rows = np.searchsorted(ends, np.arange(len(small)))
    before = np.concatenate([[0], sums[ends]])
    positions = (sums - before[rows])[small > 0] - 1
    if len(positions) and positions.max() >= WORD:
        return None
    changes = np.zeros(count, np.uint32)
    np.bitwise_or.at(changes, rows[small > 0], np.uint32(1) << positions.astype(np.uint32))
    words: Fingerprint = np.bitwise_xor.accumulate(changes)
    return words


def _read_numbers(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Read numbers of `width` bits, the lowest first, as many as there are whole."""
    whole = bits[: len(bits) // width * width].reshape(-1, width)
    numbers: NDArray[np.uint8] = (whole << np.arange(width, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
    return numbers


def bit_error_rate(one: Fingerprint, other: Fingerprint) -> float | None:
    """Return the share of bits, 0 to 1, in which two fingerprints differ at the offset where they differ least.

    About 0.5 for two recordings, near 0 for copies. None where they overlap by less than ten seconds, and where one
    hardly changes.
    """
    if min(len(set(one.tolist())), len(set(other.tolist()))) < LEAST_DIFFERENT:
        return None
    most = round(SECONDS_SHIFTED / HOP_SECONDS)
    rates = []
    for offset in range(-most, most + 1):
        mine, others = one[max(offset, 0) :], other[max(-offset, 0) :]
        count = min(len(mine), len(others))
        if count >= LEAST_OVERLAP:
            rates.append(int(np.bitwise_count(mine[:count] ^ others[:count]).sum()) / (count * WORD))
    return min(rates) if rates else None
