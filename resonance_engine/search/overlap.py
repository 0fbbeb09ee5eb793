"""Overlap of the neighbours by one model with those by another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resonance_engine.index.vector_index import VectorIndex

NEIGHBOURS = 20
SAMPLE = 200


@dataclass(frozen=True)
class Overlap:
    """How many of the `of` nearest neighbours of a track both models share, on average over `tracks` tracks."""

    kept: float
    of: int
    tracks: int


def neighbour_overlap(
    old: VectorIndex, new: VectorIndex, same: Mapping[int, int], neighbours: int = NEIGHBOURS, sample: int = SAMPLE
) -> Overlap | None:
    """Return how many of each recording's nearest neighbours in one index are among its nearest in the other.

    `same` gives the id in `new` of each id in `old` that stands for the same recording; only these are compared, none
    as a neighbour of itself. Nearest by inner product, the first `neighbours` or as many as there are, for up to
    `sample` recordings, spread evenly over the ids. None where fewer than two recordings are in both.
    """
    pairs = np.array(sorted(same.items()), np.int64).reshape(-1, 2)
    count = min(neighbours, len(pairs) - 1)
    if count < 1:
        return None
    rows = np.unique(np.linspace(0, len(pairs) - 1, min(sample, len(pairs))).round().astype(np.int64))
    before = _nearest(old, pairs[rows, 0], pairs[:, 0], count)
    after = _nearest(new, pairs[rows, 1], pairs[:, 1], count)
    translated = pairs[np.searchsorted(pairs[:, 0], before), 1]
    kept = [len(np.intersect1d(ones, others)) for ones, others in zip(translated, after, strict=True)]
    return Overlap(float(np.mean(kept)), count, len(rows))


def _nearest(index: VectorIndex, ids: NDArray[np.int64], common: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the ids of the `count` nearest of `common` to each of some ids, without itself, shape (n, count)."""
    allowed = None if len(common) == len(index) else common  # a search among all is the faster one
    _, neighbours = index.nearest(index.vectors(ids), count + 1, allowed=allowed)
    others = neighbours != ids[:, None]
    # Of more equal ones than there is room for, the track itself may not be one.
    others[others.all(axis=1), -1] = False
    return np.asarray(neighbours[others].reshape(len(ids), count))
