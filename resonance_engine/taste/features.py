"""Similarities of pairs of tracks that a taste weighs: cosines of facets, nearness in time, principal axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]
    Places = NDArray[np.intp]

ERA = "era"
ERA_YEARS = 8.0  # after which nearness in time has fallen to 1/e
AXES = 16  # principal axes of the embeddings
LEAST_VARIANCE = 1e-9
AXIS_RIDGE = 10.0  # of their weights: there are many, and what a facet or the era explains is theirs
REFERENCE_PAIRS = 20_000  # that scales are measured on


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """Similarities of pairs among n tracks, standardised over random pairs: facets, then the era, then axes.

    `facets` (n, d) are unit vectors by name, `years` (n,) are NaN where unknown, `axes` (n, k) are coordinates of unit
    variance. `mean` and `deviation` (p,) are those of the raw similarities; `base` (p,) are the weights of the
    standardised similarities that give the similarity of whole embeddings: the facets' shares.
    """

    facets: Mapping[str, Vectors]
    years: Array
    axes: Vectors
    mean: Array
    deviation: Array
    base: Array

    @classmethod
    def create(cls, facets: Mapping[str, Vectors], shares: Mapping[str, float], years: Array, axes: Vectors) -> Self:
        """Measure the scales on random pairs; `shares` are the facets' in the embeddings, `axes` their coordinates."""
        count = len(facets) + 1 + axes.shape[1]
        raw = cls(facets, years, axes, np.zeros(count), np.ones(count), np.zeros(count))
        rng = np.random.default_rng(0)
        one, other = (rng.integers(0, len(axes), REFERENCE_PAIRS) for _ in range(2))
        apart = one != other
        values = raw.measure(one[apart], other[apart])
        known = ~np.isnan(values)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / counts
        deviation = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / counts)
        deviation = np.where(deviation > 1e-9, deviation, 1.0)
        base = np.zeros(count)
        base[: len(facets)] = [shares[name] for name in facets]
        return cls(facets, years, axes, mean, deviation, base * deviation)

    @property
    def ridge(self) -> Array:
        """The ridge (p,) of each weight, relative to that of a facet."""
        others = len(self.facets) + 1
        return np.concatenate([np.ones(others), np.full(len(self.base) - others, AXIS_RIDGE)])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the p similarities."""
        return (*self.facets, ERA, *(f"axis {number}" for number in range(1, self.axes.shape[1] + 1)))

    def of_pairs(self, one: Places, other: Places) -> Array:
        """Return the standardised similarities (m, p) of pairs of tracks, by position."""
        return self.standardise(self.measure(one, other))

    def measure(self, one: Places, other: Places) -> Array:
        """Return the raw similarities (m, p) of pairs of tracks, by position, NaN where unknown."""
        columns = [np.einsum("md,md->m", each[one], each[other], dtype=np.float64) for each in self.facets.values()]
        nearness = era_nearness(self.years[one], self.years[other])
        products = self.axes[one].astype(np.float64) * self.axes[other]
        return np.column_stack([*columns, nearness, products])

    def to_all(self, track: int) -> Array:
        """Return the standardised similarities (n, p) of one track to all."""
        columns = [each @ each[track] for each in self.facets.values()]
        nearness = era_nearness(self.years[track], self.years)
        return self.standardise(np.column_stack([*columns, nearness, self.axes * self.axes[track]]).astype(np.float64))

    def standardise(self, values: Array) -> Array:
        """Standardise raw similarities (m, p); what is unknown becomes 0, the mean."""
        return np.nan_to_num((values - self.mean) / self.deviation)


def era_nearness(one: Array | float, other: Array) -> Array:
    """Return how near years lie, 1 for the same and falling by 1/e in ERA_YEARS; NaN where one is unknown."""
    return np.asarray(np.exp(-np.abs(np.asarray(one) - other) / ERA_YEARS))


@dataclass(frozen=True, eq=False)
class PrincipalAxes:
    """The `mean` (d,) of vectors, and the `projection` (d, k) to coordinates of unit variance."""

    mean: Vectors
    projection: Vectors

    @classmethod
    def fit(cls, vectors: Vectors, count: int = AXES) -> Self:
        """Find the first principal axes of vectors (n, d), at most n - 1.

        The sign of an axis is free: products of two coordinates do not depend on it.
        """
        mean = vectors.mean(axis=0)
        centred = vectors - mean
        values, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred / len(vectors))
        largest = np.argsort(-values, kind="stable")[: max(0, min(count, len(vectors) - 1))]
        largest = largest[values[largest] > LEAST_VARIANCE]
        return cls(mean, np.asarray(axes[:, largest] / np.sqrt(values[largest]), np.float32))

    def project(self, vectors: Vectors) -> Vectors:
        """Return the coordinates (n, k) of vectors (n, d)."""
        return np.asarray((vectors - self.mean) @ self.projection, np.float32)
