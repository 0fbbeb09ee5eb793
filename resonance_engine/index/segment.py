"""Vectors that stay as they are, under ids, with a search of the best: exact scores of proven candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.backends import SCAN_ERROR
from resonance_engine.index.vector_rows import ROWS_AT_A_TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.index.candidates import CandidateSearch
    from resonance_engine.index.vector_rows import VectorRows
    from resonance_engine.store.records import Ids, Matrix

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Places = NDArray[np.int32]
    Rows = NDArray[np.int64]

# Candidates beside those that are needed, where scores are rough. The denser vectors lie, the more are in doubt; to
# compare a thousandth of them takes less than to search a second time.
LEAST_FETCHED, FETCHED_SHARE = 64, 0.001
SCORED_AT_A_TIME = 4096


@dataclass(eq=False)
class Segment:
    """Ids (n,) in ascending order, and vectors, in that order or in one of their own.

    `order` gives the place among the ids of each row, `places` the row of each id, both None where the orders agree.
    `alive` marks the rows that were not removed since, None for all. `gpu` takes the place of an exact search.
    """

    ids: Ids
    vectors: VectorRows
    search: CandidateSearch
    exhaustive: CandidateSearch
    order: Places | None = None
    places: Places | None = None
    alive: Mask | None = None
    gpu: CandidateSearch | None = None

    def __len__(self) -> int:
        """Count the rows that were not removed."""
        return len(self.ids) if self.alive is None else int(np.count_nonzero(self.alive))

    def rows(self, ids: Ids) -> Rows:
        """Return the rows of ids, -1 for those that are not here or were removed."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        rows = np.asarray(at if self.places is None else self.places[at], np.int64)
        present = self.ids[at] == ids
        if self.alive is not None:
            present &= self.alive[rows]
        return np.where(present, rows, -1)

    def ids_of(self, rows: Rows) -> Ids:
        """Return the ids of rows."""
        return np.asarray(self.ids[rows if self.order is None else self.order[rows]])

    def remaining(self) -> Rows:
        """Return the rows that were not removed, in order of id."""
        rows = np.arange(len(self.ids)) if self.places is None else self.places.astype(np.int64)
        return rows if self.alive is None else rows[self.alive[rows]]

    def remove(self, rows: Rows) -> None:
        """Take rows out of every search."""
        if len(rows):
            alive = np.ones(len(self.ids), bool) if self.alive is None else self.alive
            alive[rows] = False
            self.alive = alive

    def verify(self) -> None:
        """Raise DamagedIndexError where the file that it comes from is not as it was written."""
        self.vectors.verify()
        self.exhaustive.verify()

    def best(
        self, queries: Matrix, count: int, allowed: Rows | None = None, excluded: Rows | None = None
    ) -> tuple[Matrix, Rows]:
        """Return scores, right to float32 rounding, and rows (q, m) of the best, best first.

        Only `allowed` rows, or all but the `excluded` ones; m is `count` or, where fewer are left, their number. An
        approximate search may miss some of all rows, none of the allowed ones.
        """
        mask = self._mask(allowed, excluded)
        available = len(self.ids) if mask is None else int(np.count_nonzero(mask))
        count = min(count, available)
        exhaustive = self.gpu or self.exhaustive
        search = exhaustive if allowed is not None or self.search is self.exhaustive else self.search
        fetch = count + int(search.spare * (count + max(LEAST_FETCHED, FETCHED_SHARE * available)))
        if not count:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        scores = np.empty((len(queries), count), np.float32)
        rows = np.empty((len(queries), count), np.int64)
        pending = np.arange(len(queries))
        while len(pending):
            if search.spare and 2 * fetch > available:
                chosen = np.arange(len(self.ids)) if mask is None else np.flatnonzero(mask)
                scores[pending], rows[pending] = self._compare(queries[pending], chosen, count)
                break
            some = queries[pending]
            rough, candidates, error = search.best(some, fetch, mask)
            if error is None:
                return rough, candidates
            scores[pending], rows[pending] = self._rank(some, candidates, count)
            is_short = rows[pending, -1] < 0
            rounding = SCAN_ERROR * np.linalg.norm(some, axis=1)
            proven = scores[pending, -1] - rounding >= rough[:, -1] + error
            if is_short.any():
                search = exhaustive  # the lists hold too little
            pending = pending[is_short | ~(proven | (candidates[:, -1] < 0))]
            fetch *= 2
        return scores, rows

    def _mask(self, allowed: Rows | None, excluded: Rows | None) -> Mask | None:
        if allowed is not None:
            mask = np.zeros(len(self.ids), bool)
            mask[allowed] = True
            return mask if self.alive is None else mask & self.alive
        if excluded is None or not len(excluded):
            return self.alive
        mask = np.ones(len(self.ids), bool) if self.alive is None else self.alive.copy()
        mask[excluded] = False
        return mask

    def _compare(self, queries: Matrix, rows: Rows, count: int) -> tuple[Matrix, Rows]:
        """Return the scores and rows of the `count` best of some rows, by products with all of them."""
        starts = range(0, len(rows), ROWS_AT_A_TIME)
        blocks = (self.vectors.take(rows[start : start + ROWS_AT_A_TIME]) for start in starts)
        scores = np.concatenate([queries @ block.T for block in blocks], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, order, axis=1), rows[order]

    def _rank(self, queries: Matrix, candidates: Rows, count: int) -> tuple[Matrix, Rows]:
        """Return the scores, computed anew, and rows of the `count` best candidates; -inf and -1 come last."""
        scores = np.empty(candidates.shape, np.float32)
        step = max(1, SCORED_AT_A_TIME // candidates.shape[1])
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            chosen = candidates[part]
            vectors = self.vectors.take(np.maximum(chosen, 0).ravel()).reshape(*chosen.shape, -1)
            scores[part] = np.matmul(vectors, queries[part, :, None])[..., 0]
        scores[candidates < 0] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(candidates, order, axis=1)
