"""An inverted file: vectors in lists by the nearest of some centroids, of which a search reads the nearest few.

Sivic & Zisserman 2003; the centroids are those of spherical k-means (Dhillon & Modha 2001), as FAISS computes them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.backends import load_faiss
from resonance_engine.index.candidates import RoundedQueries, RoundedSearch
from resonance_engine.index.faiss_codes import CodeSearch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.index.candidates import RoundedVectors
    from resonance_engine.index.vector_rows import VectorRows
    from resonance_engine.store.records import Matrix

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.int64]

TRAINED_PER_LIST = 32  # vectors that centroids are computed from
ITERATIONS = 8
SEED = 1


class ListSearch:
    """Search of the rows in the `probes` lists whose centroids (l, d) are nearest to a query.

    The codes are in order of list, and their parts are the lists.
    """

    spare = 1.0

    def __init__(self, rounded: RoundedVectors, centroids: Matrix, probes: int) -> None:
        self.rounded, self.centroids, self.probes = rounded, centroids, probes
        self.exhaustive = RoundedSearch(rounded)
        self._codes = CodeSearch(rounded.codes)

    def best(self, queries: Matrix, count: int, mask: Mask | None) -> tuple[Matrix, Rows, Array | None]:
        nearness = queries @ self.centroids.T
        probes = min(self.probes, len(self.centroids))
        lists = np.argpartition(-nearness, probes - 1, axis=1)[:, :probes]
        self.rounded.verify(np.unique(lists).tolist())
        rounded = RoundedQueries.of(queries)
        scores = np.full((len(queries), count), -np.inf, np.float32)
        rows = np.full((len(queries), count), -1, np.int64)
        for row, chosen in enumerate(lists.tolist()):
            parts = [self._scan(rounded.whole[row : row + 1], count, mask, part) for part in chosen]
            near, places = (np.concatenate(each) for each in zip(*parts, strict=True))
            order = np.argsort(-near, kind="stable")[:count]
            scores[row, : len(order)], rows[row, : len(order)] = near[order], places[order]
        scores /= rounded.scales * np.float32(self.rounded.scale)
        return scores, rows, self.rounded.error(rounded)

    def verify(self) -> None:
        self.exhaustive.verify()

    def _scan(self, query: Matrix, count: int, mask: Mask | None, part: int) -> tuple[Matrix, Rows]:
        start, end = self.rounded.bounds[part : part + 2].tolist()
        if start == end:
            return np.empty(0, np.float32), np.empty(0, np.int64)
        scores, rows = self._codes.best(query, min(count, end - start), mask, start, end)
        return scores[0], rows[0]


def list_count(vectors: int) -> int:
    """Return a power of two of about two times the root of the number of vectors."""
    return 1 << round(1 + math.log2(max(vectors, 1)) / 2)


def train_centroids(vectors: VectorRows, lists: int) -> Matrix:
    """Compute centroids (l, d) from an even sample of the vectors; the same each time."""
    faiss = load_faiss()
    sample = np.linspace(0, len(vectors) - 1, min(len(vectors), TRAINED_PER_LIST * lists)).round().astype(np.int64)
    means = faiss.Kmeans(
        vectors.halves.shape[1], lists, niter=ITERATIONS, spherical=True, seed=SEED,
        min_points_per_centroid=1, max_points_per_centroid=TRAINED_PER_LIST,
    )  # fmt: skip
    means.train(vectors.take(sample))
    centroids: Matrix = means.centroids
    return centroids


def assign_lists(vectors: VectorRows, centroids: Matrix) -> Rows:
    """Return the list of each vector (n,)."""
    parts = [np.argmax(block @ centroids.T, axis=1) for block in vectors.blocks()]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
