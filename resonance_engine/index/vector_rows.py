"""Stored vectors as float16, in memory or mapped from a file, whose rows are verified when they are first read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.sections import DamagedIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from resonance_engine.store.records import Matrix

    Halves = NDArray[np.float16]
    Rows = NDArray[np.int64]
    Sums = NDArray[np.uint64]

ROWS_AT_A_TIME = 4096
EXPONENT = np.int16(0x7C00)  # of a half; all of its bits are set in infinities and in what is no number
SPARE_BITS = np.int32(0x70000000)  # three more bits that a float's exponent has
REBIAS = np.float32(2.0**112)  # the biases of both exponents differ by 112


class VectorRows:
    """Vectors (n, d) of float16; with their sums, those of a file, which may be damaged."""

    def __init__(self, halves: Halves, sums: Sums | None = None) -> None:
        self.halves = halves
        self._sums = sums
        self._verified = None if sums is None else np.zeros(len(halves), bool)

    def __len__(self) -> int:
        return len(self.halves)

    def take(self, rows: Rows) -> Matrix:
        """Return vectors (m, d) as float32; raises DamagedIndexError where a file holds others than were written."""
        return widen(self.take_halves(rows))

    def take_halves(self, rows: Rows) -> Halves:
        """Return vectors as `take` does, but as they are stored."""
        halves: Halves = self.halves[rows]
        if self._sums is not None and self._verified is not None:
            new = ~self._verified[rows]
            if new.any():
                if not np.array_equal(row_sums(halves[new]), self._sums[rows[new]]):
                    raise DamagedIndexError("its content is damaged")
                self._verified[rows[new]] = True
        return halves

    def blocks(self) -> Iterator[Matrix]:
        """Yield all vectors in order, a block at a time."""
        for start in range(0, len(self), ROWS_AT_A_TIME):
            yield self.take(np.arange(start, min(start + ROWS_AT_A_TIME, len(self))))

    def verify(self) -> None:
        """Raise DamagedIndexError where any row is not as it was written."""
        if self._sums is not None and self._verified is not None and not self._verified.all():
            if not np.array_equal(row_sums(self.halves), self._sums):
                raise DamagedIndexError("its content is damaged")
            self._verified[:] = True


def widen(halves: Halves) -> Matrix:
    """Return halves as float32, bit for bit as `astype` does, in a fifth of the time for many rows.

    Sign, exponent and fraction are moved to where a float has them; a product corrects the exponent's bias, exactly,
    also that of subnormal numbers.
    """
    bits = halves.view(np.int16)
    if not bits.size or (bits & EXPONENT).max() == EXPONENT:
        return halves.astype(np.float32)
    wide = bits.astype(np.int32)
    wide <<= 13
    wide &= ~SPARE_BITS
    numbers = wide.view(np.float32)
    numbers *= REBIAS
    return numbers


def row_sums(halves: Halves) -> Sums:
    """Return the sum of the words of each row."""
    word = np.uint64 if halves.shape[1] % 4 == 0 else np.uint16
    return np.asarray(np.ascontiguousarray(halves).view(word).sum(axis=1, dtype=np.uint64))
