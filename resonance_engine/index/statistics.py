"""Moments of the vectors in an index, and how similarities to all of them are distributed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Vectors = NDArray[np.float32]

LEAST_DEVIATION = 1e-6
ROWS_PER_BATCH = 2048


@dataclass(frozen=True, eq=False)
class VectorMoments:
    """Sums over the vectors of an index: their `count`, their `total` (d,) and that of their outer products (d, d).

    They give the mean and deviation of any vector's similarities to all others exactly, without a sample. Vectors that
    come and go are added and subtracted.
    """

    count: int
    total: Array
    moment: Array

    @classmethod
    def empty(cls, dimensions: int) -> Self:
        """Return the moments of no vectors."""
        return cls(0, np.zeros(dimensions), np.zeros((dimensions, dimensions)))

    def with_vectors(self, vectors: Iterable[Vectors] | Vectors, sign: int = 1) -> VectorMoments:
        """Return the moments after vectors (n, d) are added, or with `sign` -1 removed."""
        count, total, moment = self.count, self.total.copy(), self.moment.copy()
        for part in batches(vectors):
            count += sign * len(part)
            total += sign * part.sum(axis=0, dtype=np.float64)
            # Products of a large batch are summed in float32, twice as fast; the error is below that of the scores.
            wide = part if len(part) == ROWS_PER_BATCH else part.astype(np.float64)
            moment += sign * (wide.T @ wide)
        return VectorMoments(count, total, moment)

    @cached_property
    def mean(self) -> float:
        """Mean similarity of two different vectors; 0 where there are none."""
        return self._pairs[0]

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the similarities of two different vectors."""
        return self._pairs[1]

    @cached_property
    def _pairs(self) -> tuple[float, float]:
        if self.count < 2:
            return 0.0, LEAST_DEVIATION
        squares = float(np.trace(self.moment))  # of all lengths, which are 1 up to their rounding
        pairs = self.count * (self.count - 1)
        mean = (float(self.total @ self.total) - squares) / pairs
        square = (float(np.square(self.moment).sum()) - squares**2 / self.count) / pairs
        return mean, math.sqrt(max(square - mean**2, LEAST_DEVIATION**2))

    @cached_property
    def _covariance(self) -> Vectors:
        centre = self.total / max(self.count, 1)
        return (self.moment / max(self.count, 1) - np.outer(centre, centre)).astype(np.float32)

    def similarity_moments(self, vectors: Vectors, members: bool | NDArray[np.bool_] = True) -> tuple[Array, Array]:
        """Return mean and standard deviation (n,) of the similarities of vectors (n, d) to all in the index.

        The similarity of a member of the index to itself does not count.
        """
        own = np.where(members, np.square(vectors, dtype=np.float64).sum(axis=1), 0.0)
        others = np.maximum(self.count - np.asarray(members, bool).astype(np.float64), 1.0)
        mean = vectors @ (self.total / max(self.count, 1))
        variance = np.einsum("nd,nd->n", vectors @ self._covariance, vectors, dtype=np.float64)
        square = (self.count * (variance + mean**2) - own**2) / others
        mean = (self.count * mean - own) / others
        return mean, np.sqrt(np.maximum(square - mean**2, LEAST_DEVIATION**2))


def batches(vectors: Iterable[Vectors] | Vectors) -> Iterable[Vectors]:
    """Split vectors (n, d) into batches of ROWS_PER_BATCH; those that come in batches stay as they are."""
    if isinstance(vectors, np.ndarray):
        return (vectors[at : at + ROWS_PER_BATCH] for at in range(0, len(vectors), ROWS_PER_BATCH))
    return vectors
