"""A scan over stored vectors: a large part that stays as it is, and a small one for what comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.backends import NumpyScan, load_faiss
from resonance_engine.index.gpu import GPU_AFTER, gpu_search
from resonance_engine.index.methods import EXACT, IVF, IndexMethod, build_segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resonance_engine.index.backends import Scan
    from resonance_engine.index.candidates import CandidateSearch
    from resonance_engine.index.segment import Segment
    from resonance_engine.store.records import Ids, Matrix

    Halves = NDArray[np.float16]

LEAST_MERGED = 4096  # vectors that came later, from which on they may become one part with the others
MERGED_SHARE = 0.25


def no_release() -> None:
    """Keep the memory of what was read."""


class ArrayScan:
    """Vectors by id in segments: `base`, laid out for a method, and those added since.

    `release` is called after each use, and gives back memory that a file can fill again.
    """

    def __init__(
        self,
        dimensions: int,
        base: Segment | None = None,
        method: IndexMethod = EXACT,
        release: Callable[[], None] = no_release,
    ) -> None:
        load_faiss()
        self.dimensions, self.method, self._release = dimensions, method, release
        self._base = self._empty() if base is None else base
        self._added = self._empty()
        self._answered = 0

    @property
    def base(self) -> Segment | None:
        """The base where it holds all vectors, as when it was built; None where some came or went since."""
        return None if len(self._added) or self._base.alive is not None else self._base

    @property
    def is_exact(self) -> bool:
        return self.method.is_exact

    @property
    def search(self) -> CandidateSearch:
        """The search of the base."""
        return self._base.search

    def ids(self) -> Ids:
        return np.concatenate([part.ids_of(part.remaining()) for part in (self._base, self._added)])

    def halves(self) -> tuple[Ids, Halves]:
        """Return all ids in ascending order, and their vectors (n, d) as they are stored."""
        if self.base is not None and self._base.order is None:
            self._base.vectors.verify()
            return self._base.ids, self._base.vectors.halves
        ids, halves = (np.concatenate(each) for each in zip(*map(_remaining, (self._base, self._added)), strict=True))
        order = np.argsort(ids)
        return ids[order], halves[order]

    def verify(self) -> None:
        """Raise DamagedIndexError where the file of the base is not as it was written."""
        self._base.verify()

    def add(self, ids: Ids, vectors: Matrix) -> None:
        with np.errstate(over="ignore"):
            halves = vectors.astype(np.float16)
        old = _remaining(self._added)
        all_ids = np.concatenate([old[0], ids])
        order = np.argsort(all_ids)
        self._added = self._build(all_ids[order], np.concatenate([old[1], halves])[order])
        most = max(LEAST_MERGED, MERGED_SHARE * len(self._base))
        if not len(self._base) or (self.method.name != IVF and len(self._added) > most):
            self._base, self._added = self._build(*self.halves()), self._empty()

    def remove(self, ids: Ids) -> None:
        for part in (self._base, self._added):
            rows = part.rows(ids)
            part.remove(rows[rows >= 0])

    def vectors(self, ids: Ids) -> Matrix:
        vectors = np.empty((len(ids), self.dimensions), np.float32)
        for part in (self._base, self._added):
            rows = part.rows(ids)
            if len(here := np.flatnonzero(rows >= 0)):
                vectors[here] = part.vectors.take(rows[here])
        self._release()
        return vectors

    def best(self, queries: Matrix, count: int, allowed: Ids | None, excluded: Ids | None) -> tuple[Matrix, Ids]:
        self._count_answers(len(queries))
        results = []
        for part in (self._base, self._added):
            rows = [None if ids is None else _present(part.rows(ids)) for ids in (allowed, excluded)]
            if len(part):
                scores, hits = part.best(queries, count, *rows)
                results.append((scores, part.ids_of(hits)))
        self._release()
        if len(results) == 1:
            return results[0]
        scores, ids = (np.concatenate(each, axis=1) for each in zip(*results, strict=True))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)

    def _count_answers(self, queries: int) -> None:
        """Copy the base to a GPU once so many queries were answered that it is worth it."""
        if self._answered < GPU_AFTER <= self._answered + queries:
            self._base.gpu = gpu_search(self._base.vectors, self._base.exhaustive)
        self._answered += queries

    def _empty(self) -> Segment:
        return self._build(np.empty(0, np.int64), np.empty((0, self.dimensions), np.float16))

    def _build(self, ids: Ids, halves: Halves) -> Segment:
        return build_segment(ids, halves, self.method.name if self.method.is_exact else EXACT.name)


def _remaining(part: Segment) -> tuple[Ids, Halves]:
    rows = part.remaining()
    return part.ids_of(rows), part.vectors.take_halves(rows)


def _present(rows: Ids) -> Ids:
    return rows[rows >= 0]


def new_scan(dimensions: int) -> Scan:
    """Return an empty scan of the best backend that this machine can run."""
    try:
        return ArrayScan(dimensions)
    except ImportError:
        return NumpyScan(dimensions)
