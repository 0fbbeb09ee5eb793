"""Means, skewness and their bootstrap intervals over groups of queries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % bootstrap interval and its expected value under a random ranking; NaN where unknown."""

    value: float
    low: float = math.nan
    high: float = math.nan
    chance: float = math.nan


def mean(values: Array) -> float:
    """Return the mean of the queries that have a value; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def estimate_mean(
    values: Array, groups: Sequence[str] | NDArray[np.str_], chance: Array | None = None, seed: int = 0
) -> Estimate:
    """Estimate the mean of `values` (queries,), and of their `chance` values where given.

    Differences of two systems on the same queries make a paired comparison: groups are drawn for both at once.
    """
    low, high = bootstrap_interval(values, groups, seed)
    return Estimate(mean(values), low, high, math.nan if chance is None else mean(chance))


def bootstrap_interval(
    values: Array, groups: Sequence[str] | NDArray[np.str_], seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` when whole groups (albums) are drawn with replacement.

    NaN values do not take part; without any other, the interval is NaN.
    """
    known = ~np.isnan(values)
    if not known.any():
        return math.nan, math.nan
    _, member = np.unique(np.array(groups)[known], return_inverse=True)
    sums = np.bincount(member, weights=values[known])
    sizes = np.bincount(member)
    picks = np.random.default_rng(seed).integers(0, len(sums), size=(draws, len(sums)))
    return central_interval(sums[picks].sum(axis=1) / sizes[picks].sum(axis=1))


def central_interval(drawn: Array) -> tuple[float, float]:
    """Return the quantiles between which 95 % of the drawn statistics lie."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def occurrence_counts(similarity: Array, k: int = 10) -> Array:
    """Return the k-occurrence of each track: how many others have it among their first k (Radovanović et al. 2010)."""
    scores = np.where(np.eye(len(similarity), dtype=bool), -np.inf, similarity)
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.bincount(nearest.ravel(), minlength=len(similarity)).astype(np.float64)


def skewness(counts: Array) -> float:
    """Return the third standardised moment; 0 where nothing varies."""
    deviation = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3) if deviation > 0 else 0.0


def hub_skewness(similarity: Array, k: int = 10) -> float:
    """Return the skewness of the k-occurrence: how unevenly tracks appear among others' neighbours."""
    return skewness(occurrence_counts(similarity, k))


def estimate_skewness(counts: Array, groups: Sequence[str], baseline: Array | None = None, seed: int = 0) -> Estimate:
    """Estimate the skewness of `counts`, less that of the `baseline` where given, over draws of whole groups."""
    value, drawn = skewness(counts), draw_skewness(counts, groups, seed)
    if baseline is not None:
        value, drawn = value - skewness(baseline), drawn - draw_skewness(baseline, groups, seed)
    return Estimate(value, *central_interval(drawn))


def draw_skewness(counts: Array, groups: Sequence[str], seed: int) -> Array:
    """Return the skewness of each bootstrap draw of whole groups, from the groups' power sums."""
    _, member = np.unique(np.array(groups), return_inverse=True)
    powers = np.stack([np.bincount(member, weights=counts**power) for power in range(4)])
    picks = np.random.default_rng(seed).integers(0, powers.shape[1], size=(DRAWS, powers.shape[1]))
    size, first, second, third = powers[:, picks].sum(axis=2)
    average, square, cube = first / size, second / size, third / size
    variance = np.maximum(square - average**2, 0.0)
    moment = cube - 3 * average * square + 2 * average**3
    drawn: Array = np.divide(moment, variance**1.5, out=np.zeros_like(moment), where=variance > 0)
    return drawn
