"""Mutual proximity: close is who is close from both sides, so that no track is everybody's neighbour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    Vectors = NDArray[np.float32]

Array = NDArray[np.float64]

LEAST_DEVIATION = 1e-6
FARTHEST = 1e-300  # the smallest chance that is told from none
ROWS_AT_A_TIME = 2048


@dataclass(frozen=True, eq=False)
class VectorMoments:
    """How the vectors of an index lie: their `count`, their `total` (d,) and the sum of their outer products (d, d).

    What follows from it is exact, without a sample: the mean and the deviation of any vector's similarities to all
    others. Vectors that come and go are added and subtracted.
    """

    count: int
    total: Array
    moment: Array

    @classmethod
    def empty(cls, dimensions: int) -> Self:
        """The spread of no vectors."""
        return cls(0, np.zeros(dimensions), np.zeros((dimensions, dimensions)))

    def with_vectors(self, vectors: Iterable[Vectors] | Vectors, sign: int = 1) -> VectorMoments:
        """The spread when these vectors (n, d) come, or with `sign` -1 when they go."""
        count, total, moment = self.count, self.total.copy(), self.moment.copy()
        for part in batches(vectors):
            count += sign * len(part)
            total += sign * part.sum(axis=0, dtype=np.float64)
            # Products of a large batch are summed in float32, twice as fast; the error is below that of the scores.
            wide = part if len(part) == ROWS_AT_A_TIME else part.astype(np.float64)
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

    def of(self, vectors: Vectors, members: bool | NDArray[np.bool_] = True) -> tuple[Array, Array]:
        """Mean and standard deviation (n,) of the similarities of vectors (n, d) to all in the index.

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
    if isinstance(vectors, np.ndarray):
        return (vectors[at : at + ROWS_AT_A_TIME] for at in range(0, len(vectors), ROWS_AT_A_TIME))
    return vectors


def mutual_proximity(
    similarity: Array, of_queries: tuple[Array, Array], of_candidates: tuple[Array, Array], spread: VectorMoments
) -> Array:
    """Similarities (queries, candidates) freed of hubs, on the scale of a cosine.

    Gaussian mutual proximity (Schnitzer et al. 2012): the chance that a random track is farther from the query than the
    candidate is, times the chance that one is farther from the candidate than the query is; each track's similarities
    to all others are taken for normally distributed, with the mean and deviation given. The geometric mean of both
    chances is turned back into the similarity that it would mean between two tracks of average mean and deviation: of
    two such, the result is their cosine. It can exceed 1 where both lie far from all others; rankings keep that, what
    is shown is cut to 1.
    """
    tails = [
        upper_tail((similarity - mean) / deviation)
        for mean, deviation in ((each[:, None] for each in of_queries), of_candidates)
    ]
    # In tails, for near neighbours lie where a chance cannot be told from 1.
    both = -np.expm1(0.5 * (np.log1p(-np.minimum(tails[0], 1 - 1e-16)) + np.log1p(-np.minimum(tails[1], 1 - 1e-16))))
    return spread.mean + spread.deviation * deviations_from(both)


def upper_tail(z: Array) -> Array:
    """The chance that a standard normal number exceeds each of these."""
    chances = np.array([math.erfc(each) for each in (z * math.sqrt(0.5)).ravel().tolist()], np.float64)
    return 0.5 * chances.reshape(z.shape)


def deviations_from(tail: Array) -> Array:
    """The inverse of `upper_tail`."""
    inverse = NormalDist().inv_cdf
    within = np.clip(tail, FARTHEST, 1 - 1e-16).ravel().tolist()
    return -np.array([inverse(each) for each in within], np.float64).reshape(tail.shape)
