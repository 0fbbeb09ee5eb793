"""Unit vectors by id, and a search for the nearest of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.array_scan import new_scan
from resonance_engine.index.backends import SCAN_ERROR
from resonance_engine.index.statistics import ROWS_PER_BATCH, VectorMoments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from resonance_engine.index.backends import Scan
    from resonance_engine.store.records import Ids, Matrix

    Array = NDArray[np.float64]

SPARE = 16
QUERIES_AT_A_TIME = 256
CANDIDATES_AT_A_TIME = 4096


def unique(ids: Ids) -> Ids:
    """Return the different ids, ascending.

    As `numpy.unique` does, which first loads the masked arrays: that takes as long as the search itself.
    """
    ordered: Ids = np.sort(ids)
    new = np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]])
    return np.asarray(ordered[new])


class VectorIndex:
    """Unit vectors by id, and the nearest of them to a query by inner product.

    Scores are those of the float16 values that the store holds, rounded to float32; equal scores are in order of id.
    Where the scan is exact, results depend neither on the order in which vectors were added nor on the backend or
    method; else some of the nearest can be missing. One index can be used from several threads.
    """

    def __init__(
        self, ids: Ids, vectors: Matrix, scan: Scan | None = None, moments: VectorMoments | None = None
    ) -> None:
        """Index vectors of shape (n, dimensions), beside those in `scan`, if one is given.

        `moments` are those of the vectors in `scan`, where they are known.
        """
        self._lock = threading.RLock()
        self.scan = new_scan(vectors.shape[1]) if scan is None else scan
        self.dimensions = self.scan.dimensions  # the width of the vectors
        self._ids = np.sort(self.scan.ids())
        self._moments = moments
        self._similarities: tuple[VectorMoments, Array] | None = None
        self.add(ids, vectors)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Ids:
        """The ids in the index, in ascending order."""
        return self._ids.copy()

    @property
    def moments(self) -> VectorMoments:
        """The exact moments of the vectors: computed at first use, then updated as vectors are added and removed."""
        with self._lock:
            if self._moments is None:
                starts = range(0, len(self._ids), ROWS_PER_BATCH)
                parts = (self.scan.vectors(self._ids[at : at + ROWS_PER_BATCH]) for at in starts)
                self._moments = VectorMoments.empty(self.dimensions).with_vectors(parts)
            return self._moments

    def similarity_moments(self, ids: Ids) -> tuple[Array, Array]:
        """Return mean and standard deviation (n,) of the similarities of vectors in the index to all others in it.

        Those of a vector are computed once, as long as the index stays as it is.
        """
        with self._lock:
            moments, known = self.moments, self._similarities
            if known is None or known[0] is not moments:
                self._similarities = known = moments, np.full((2, len(self._ids)), np.nan)
            rows = np.searchsorted(self._ids, ids)
            new = np.isnan(known[1][0, rows])
            if new.any():
                known[1][:, rows[new]] = moments.similarity_moments(self.scan.vectors(ids[new]))
            mean, deviation = known[1][:, rows]
            return mean, deviation

    def has(self, ids: Iterable[int]) -> NDArray[np.bool_]:
        """Return which of the ids are in the index, in the order given."""
        ids = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        with self._lock:
            if not len(self._ids):
                return np.zeros(len(ids), bool)
            rows = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
            return np.asarray(self._ids[rows] == ids)

    def add(self, ids: Ids, vectors: Matrix) -> None:
        """Add vectors of shape (n, dimensions); those of known ids are replaced."""
        ids = np.asarray(ids, np.int64)
        if vectors.shape != (len(ids), self.dimensions):
            raise ValueError(f"Expected vectors of shape {(len(ids), self.dimensions)}, got {vectors.shape}.")
        if len(unique(ids)) != len(ids):
            raise ValueError("Expected each id once; some come twice.")
        if not len(ids):
            return
        with self._lock:
            if len(self._ids):
                self.remove(ids)
            rounded = _round_to_half(np.ascontiguousarray(vectors, np.float32))
            self.scan.add(ids, rounded)
            self._ids = unique(np.concatenate([self._ids, ids]))
            if self._moments is not None:
                self._moments = self._moments.with_vectors(rounded)

    def remove(self, ids: Iterable[int]) -> int:
        """Remove vectors, and return how many of the ids were in the index."""
        with self._lock:
            gone = self._present(ids)
            if len(gone):
                if 2 * len(gone) > len(self._ids):
                    self._moments = None  # those of the rest are computed sooner
                elif self._moments is not None:
                    self._moments = self._moments.with_vectors(self.scan.vectors(gone), sign=-1)
                self.scan.remove(gone)
                self._ids = np.setdiff1d(self._ids, gone, assume_unique=True)
            return len(gone)

    def vectors(self, ids: Iterable[int]) -> Matrix:
        """Return the vectors of ids in the order given, shape (n, dimensions); KeyError for an unknown id."""
        ids = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        if not len(ids):
            return np.empty((0, self.dimensions), np.float32)
        with self._lock:
            if not (known := self.has(ids)).all():
                raise KeyError(f"The index holds no vector {ids[~known].min()}.")
            return self.scan.vectors(ids)

    def nearest(
        self,
        queries: Matrix,
        k: int,
        exclude: Iterable[int] | None = None,
        allowed: Iterable[int] | None = None,
    ) -> tuple[Matrix, Ids]:
        """Return the k vectors with the greatest inner products with each query, best first.

        `queries` has shape (q, dimensions). Ids in `exclude` and, where `allowed` is given, all but the ids
        in it are left out for every query. Both results, scores and ids, have shape (q, m), where m is k
        or, if fewer vectors are left, their number.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dimensions:
            raise ValueError(f"Expected queries of shape (q, {self.dimensions}), got {queries.shape}.")
        if not np.isfinite(queries).all():
            raise ValueError("Expected queries of finite numbers.")
        with self._lock:
            excluded = None if exclude is None else self._present(exclude)
            chosen = None if allowed is None else self._present(allowed)
            if chosen is not None and excluded is not None:
                chosen, excluded = np.setdiff1d(chosen, excluded, assume_unique=True), None
            left = len(self._ids) - (0 if excluded is None else len(excluded)) if chosen is None else len(chosen)
            count = max(min(k, left), 0)
            scores = np.empty((len(queries), count), np.float32)
            ids = np.empty((len(queries), count), np.int64)
            if count:
                for start in range(0, len(queries), QUERIES_AT_A_TIME):
                    part = slice(start, start + QUERIES_AT_A_TIME)
                    scores[part], ids[part] = self._nearest(queries[part], count, left, chosen, excluded)
            return scores, ids

    def _nearest(
        self, queries: Matrix, count: int, left: int, allowed: Ids | None, excluded: Ids | None
    ) -> tuple[Matrix, Ids]:
        """Return the `count` best of `left`: a scan's candidates, and more of them while others could be as good."""
        scores = np.empty((len(queries), count), np.float32)
        ids = np.empty((len(queries), count), np.int64)
        open_rows = np.arange(len(queries))
        fetch = count + SPARE
        while len(open_rows):
            fetch = min(fetch, left)
            rough, candidates = self.scan.best(queries[open_rows], fetch, allowed, excluded)
            doubt = 2 * SCAN_ERROR * np.linalg.norm(queries[open_rows], axis=1)
            settled = (rough[:, count - 1] - rough[:, -1] > doubt) | (fetch == left)
            done = open_rows[settled]
            scores[done], ids[done] = self._rank(queries[done], candidates[settled], count)
            open_rows = open_rows[~settled]
            fetch *= 2
        return scores, ids

    def _rank(self, queries: Matrix, candidates: Ids, count: int) -> tuple[Matrix, Ids]:
        exact = np.empty(candidates.shape, np.float32)
        step = max(1, CANDIDATES_AT_A_TIME // candidates.shape[1])
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            chosen = candidates[part]
            vectors = self.scan.vectors(chosen.ravel()).reshape(*chosen.shape, self.dimensions)
            # Unlike a matrix product, this sums every row in the same order: equal vectors get equal scores.
            exact[part] = np.multiply(queries[part, None], vectors, dtype=np.float64).sum(axis=2)
        order = np.lexsort((candidates, -exact))[:, :count]
        return np.take_along_axis(exact, order, axis=1), np.take_along_axis(candidates, order, axis=1)

    def _present(self, ids: Iterable[int]) -> Ids:
        """Return those of the ids that are in the index, each once, ascending."""
        known: Ids = unique(np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64))
        return known[self.has(known)] if len(known) else known


def _round_to_half(vectors: Matrix) -> Matrix:
    """Round vectors to float16; FAISS by itself would round ties otherwise than the store."""
    # The 13 lowest bits of what comes from the store are zero; rounding it again would take longer than all
    # else.
    if np.bitwise_or.reduce(vectors.view(np.uint32), axis=None) & 0x1FFF == 0:
        return vectors
    return vectors.astype(np.float16).astype(np.float32)
