"""Candidates of a search among rows: by products of numbers, or of numbers rounded to 8 bits, of all rows or of lists.

Scores of rounded numbers are wrong by at most a known bound. `segment` computes those of candidates anew, and takes as
many candidates as prove that no other row could be among the best: the result is that of an exact search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from resonance_engine.index.backends import SCAN_ERROR
from resonance_engine.index.faiss_codes import CodeSearch
from resonance_engine.index.sections import DamagedIndexError, checksum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from resonance_engine.index.vector_rows import VectorRows
    from resonance_engine.store.records import Matrix

    Array = NDArray[np.float64]
    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.int64]
    Sums = NDArray[np.uint32]

LARGEST = 127  # whole number of a code, which is kept plus 128


class CandidateSearch(Protocol):
    """What finds candidates among rows.

    `spare` is how many more than needed to fetch first.
    """

    spare: float

    def best(self, queries: Matrix, count: int, mask: Mask | None) -> tuple[Matrix, Rows, Array | None]:
        """Return scores and rows (q, count) of the best in the `mask`, best first; -inf and -1 where there are none.

        With them, by how much scores can be wrong (q,); None where they are right to float32 rounding.
        """
        ...

    def verify(self) -> None:
        """Raise DamagedIndexError where the file behind it is not as it was written."""
        ...


class FloatSearch:
    """Search by the vectors themselves, as float16 or float32."""

    spare = 0.0

    def __init__(self, vectors: VectorRows, wide: bool = False) -> None:
        self._vectors = vectors
        self._codes = CodeSearch(vectors.halves.astype(np.float32) if wide else vectors.halves)

    def best(self, queries: Matrix, count: int, mask: Mask | None) -> tuple[Matrix, Rows, Array | None]:
        self.verify()
        return *self._codes.best(queries, count, mask), None

    def verify(self) -> None:
        self._vectors.verify()


@dataclass(eq=False)
class RoundedVectors:
    """Vectors rounded to 8 bits: `codes` (n, d) are whole numbers plus 128, numbers times `scale` before rounding.

    `residual` is the greatest distance of a vector to what its code stands for, `longest` the greatest length of the
    latter. `bounds` (p + 1,) are the rows where the parts begin that are read by themselves; `sums` (p,) the checksums
    of their codes in a file, which are compared when a part is first read, None where the codes come from no file.
    """

    codes: Codes
    scale: float
    residual: float
    longest: float
    bounds: Rows
    sums: Sums | None = None
    verified: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, vectors: VectorRows, bounds: Rows | None = None) -> RoundedVectors:
        """Round vectors by one scale, which the largest of their numbers fits."""
        greatest = max(map(greatest_number, vectors.blocks()), default=0.0)
        scale = LARGEST / greatest if greatest > 0 else 1.0
        codes = np.empty(vectors.halves.shape, np.uint8)
        residual = longest = 0.0
        start = 0
        for block in vectors.blocks():
            whole = round_numbers(block, scale)
            codes[start : start + len(block)] = (whole + 128).astype(np.uint8)
            start += len(block)
            near = whole / np.float32(scale)
            residual = max(residual, float(np.linalg.norm(block - near, axis=1).max()))
            longest = max(longest, float(np.linalg.norm(near, axis=1).max()))
        # Where a number is not finite, no bound is: all rows are compared as they are.
        residual = residual if math.isfinite(residual) else math.inf
        return cls(codes, scale, residual, longest, np.array([0, len(vectors)]) if bounds is None else bounds)

    def checksums(self) -> Sums:
        """Return the checksums of the codes of all parts (p,)."""
        pairs = zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True)
        return np.array([checksum(self.codes[start:end]) for start, end in pairs], np.uint32)

    def verify(self, parts: Iterable[int]) -> None:
        """Raise DamagedIndexError where the codes of some parts are not as they were written."""
        if self.sums is not None:
            for part in {*parts} - self.verified:
                if checksum(self.codes[self.bounds[part] : self.bounds[part + 1]]) != self.sums[part]:
                    raise DamagedIndexError("its content is damaged")
                self.verified.add(part)

    def error(self, queries: RoundedQueries) -> Array:
        """Return by how much products with codes can be wrong (q,), by the inequality of Cauchy and Schwarz."""
        return np.asarray(queries.lengths * (self.residual + SCAN_ERROR) + queries.residuals * self.longest)


class RoundedQueries(NamedTuple):
    """Queries rounded to whole numbers (q, d), what they were multiplied by before (q, 1), and their lengths (q,).

    `residuals` (q,) are the lengths of what rounding took away.
    """

    whole: Matrix
    scales: Matrix
    lengths: Matrix
    residuals: Matrix

    @classmethod
    def of(cls, queries: Matrix) -> RoundedQueries:
        greatest = np.abs(queries).max(axis=1, keepdims=True)
        scales = np.divide(LARGEST, greatest, out=np.ones_like(greatest), where=greatest > 0)
        whole = round_numbers(queries, scales)
        away = queries - whole / scales
        return cls(whole, scales, *(np.sqrt(np.einsum("nd,nd->n", each, each)) for each in (queries, away)))


def round_numbers(numbers: Matrix, scale: float | Matrix) -> Matrix:
    """Return numbers times `scale`, rounded to whole ones from -127 to 127; 0 for what is none."""
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.rint(numbers * np.float32(scale))
    return np.asarray(np.clip(whole if np.isfinite(whole).all() else np.nan_to_num(whole), -LARGEST, LARGEST))


def greatest_number(numbers: Matrix) -> float:
    """Return the greatest magnitude of those numbers that are finite."""
    greatest = max(float(numbers.max()), -float(numbers.min()))
    return greatest if math.isfinite(greatest) else float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0))


class RoundedSearch:
    """Search of all rows by 8 bits a number, with a bound of the error."""

    spare = 1.0

    def __init__(self, rounded: RoundedVectors) -> None:
        self.rounded = rounded
        self._codes = CodeSearch(rounded.codes)

    def best(self, queries: Matrix, count: int, mask: Mask | None) -> tuple[Matrix, Rows, Array | None]:
        self.verify()
        rounded = RoundedQueries.of(queries)
        scores, rows = self._codes.best(rounded.whole, count, mask)
        return scores / (rounded.scales * np.float32(self.rounded.scale)), rows, self.rounded.error(rounded)

    def verify(self) -> None:
        self.rounded.verify(range(len(self.rounded.bounds) - 1))
