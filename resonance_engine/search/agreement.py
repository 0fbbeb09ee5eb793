"""Several seeds, one answer: what is close to all of them, or very close to one and not far from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.distinct import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MOST_SEEDS = 64
MOST_COMPARED = 512  # seeds among which the 64 are chosen


def agreement(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well candidates agree with the seeds (candidates,), from similarities (seeds, candidates).

    The mean over the seeds, which alone would favour what is average to them all, and the similarity to the nearest
    seed, which alone would ignore the others, count one half each. With one seed it is that similarity.
    """
    return np.asarray((similarity.mean(axis=0) + similarity.max(axis=0)) / 2)


def representatives(seeds: Vectors, most: int = MOST_SEEDS) -> list[int]:
    """Places of at most `most` seeds (n, d) that stand for all, the most typical first; in the same order each time.

    Greedy choice of the seed that brings all seeds closest to the nearest chosen one (facility location). Of more than
    512 seeds, as many are looked at, evenly along the list.
    """
    looked_at = distinct(np.linspace(0, len(seeds) - 1, min(len(seeds), MOST_COMPARED)).round().astype(np.int64))
    vectors = seeds[looked_at]
    similarity = vectors @ vectors.T
    covered = np.full(len(vectors), -1.0, np.float32)
    chosen: list[int] = []
    for _ in range(min(most, len(vectors))):
        gain = np.maximum(similarity, covered).sum(axis=1, dtype=np.float64)
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        covered = np.maximum(covered, similarity[chosen[-1]])
    return [int(looked_at[place]) for place in chosen]
