"""Sets of unit vectors: what stands for several seeds, and how similar two sets are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.vector_index import unique

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]
    Ids = NDArray[np.int64]

MOST_SEEDS = 64
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
