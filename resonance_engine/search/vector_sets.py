"""Sets of unit vectors: what stands for several seeds, how similar two sets are, neighbours that two models share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.vector_index import unique

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resonance_engine.index.vector_index import VectorIndex

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]
    Ids = NDArray[np.int64]

MOST_SEEDS = 64
NEIGHBOURS = 20
SAMPLE = 200
MOST_COMPARED = 512  # seeds among which the 64 are chosen


def centroid(seeds: Vectors) -> Vectors:
    """Return the direction that several unit vectors (n, d) share, as one unit vector (d,)."""
    return normalise(seeds.sum(axis=0))


def apply_feedback(query: Vectors, hits: Vectors) -> Vectors:
    """Move a query (d,) towards its first hits (n, d): normalised (q + e_1 + ... + e_n) / (n + 1)."""
    return normalise((query + hits.sum(axis=0)) / (len(hits) + 1))


def normalise(vector: Vectors) -> Vectors:
    """Scale a vector to length one; opposite seeds that cancel out stay a zero vector, which is similar to nothing."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 1e-12 else np.zeros_like(vector)


def representatives(seeds: Vectors, most: int = MOST_SEEDS) -> list[int]:
    """Choose at most `most` seeds (n, d) that stand for all, as positions, the most typical first; deterministic.

    Greedy choice of the seed that brings all seeds closest to the nearest chosen one (facility location). Of more than
    512 seeds, as many are compared, evenly along the list.
    """
    sample = unique(np.linspace(0, len(seeds) - 1, min(len(seeds), MOST_COMPARED)).round().astype(np.int64))
    vectors = seeds[sample]
    similarity = vectors @ vectors.T
    covered = np.full(len(vectors), -1.0, np.float32)
    chosen: list[int] = []
    for _ in range(min(most, len(vectors))):
        gain = np.maximum(similarity, covered).sum(axis=1, dtype=np.float64)
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        covered = np.maximum(covered, similarity[chosen[-1]])
    return [int(sample[place]) for place in chosen]


def set_similarity(seeds: Vectors, members: Vectors, owners: Ids) -> tuple[Ids, Array]:
    """Return how close sets of unit vectors `members` (n, d) are to the set of `seeds` (s, d), at most 1 for the same.

    `owners` (n,) are the sets that members belong to; the result is each owner once, ascending (m,), and its similarity
    (m,). Each track of either set is compared with the one of the other set that is nearest to it; the smaller of the
    two means counts, so that neither set may hold what has no counterpart (the modified Hausdorff distance of Dubuisson
    & Jain 1994, in cosines). Means of sets are not compared: they are average music.
    """
    order = np.argsort(owners, kind="stable")
    names, starts, sizes = np.unique(owners[order], return_index=True, return_counts=True)
    if not len(names) or not len(seeds):
        return names[:0], np.empty(0)
    cosines = seeds @ members[order].T
    forth = np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0, dtype=np.float64)
    back = np.add.reduceat(cosines.max(axis=0), starts, dtype=np.float64) / sizes
    return names, np.minimum(forth, back)


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
    before = nearest_among(old, pairs[rows, 0], pairs[:, 0], count)
    after = nearest_among(new, pairs[rows, 1], pairs[:, 1], count)
    translated = pairs[np.searchsorted(pairs[:, 0], before), 1]
    kept = [len(np.intersect1d(ones, others)) for ones, others in zip(translated, after, strict=True)]
    return Overlap(float(np.mean(kept)), count, len(rows))


def nearest_among(index: VectorIndex, ids: Ids, common: Ids, count: int) -> Ids:
    """Return the ids of the `count` nearest of `common` to each of some ids, without itself, shape (n, count)."""
    allowed = None if len(common) == len(index) else common  # a search among all is the faster one
    _, neighbours = index.nearest(index.vectors(ids), count + 1, allowed=allowed)
    others = neighbours != ids[:, None]
    # Of more equal ones than there is room for, the track itself may not be one.
    others[others.all(axis=1), -1] = False
    return np.asarray(neighbours[others].reshape(len(ids), count))
