"""A scan of a file that is made again from the store where the file turns out to be damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from resonance_engine.errors import StoreError
from resonance_engine.index.sections import DamagedIndexError

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.index.array_scan import ArrayScan
    from resonance_engine.store.records import Ids, Matrix

Result = TypeVar("Result")


class RestoringScan:
    """A scan whose large sections are verified while they are read; `restore` reads them from the store instead."""

    def __init__(self, scan: ArrayScan, restore: Callable[[], ArrayScan]) -> None:
        self.inner, self._restore = scan, restore
        self.dimensions = scan.dimensions

    @property
    def is_exact(self) -> bool:
        return self.inner.is_exact

    def ids(self) -> Ids:
        return self.inner.ids()

    def add(self, ids: Ids, vectors: Matrix) -> None:
        self._run(lambda: self.inner.add(ids, vectors))

    def remove(self, ids: Ids) -> None:
        self._run(lambda: self.inner.remove(ids))

    def vectors(self, ids: Ids) -> Matrix:
        return self._run(lambda: self.inner.vectors(ids))

    def best(self, queries: Matrix, count: int, allowed: Ids | None, excluded: Ids | None) -> tuple[Matrix, Ids]:
        return self._run(lambda: self.inner.best(queries, count, allowed, excluded))

    def _run(self, action: Callable[[], Result]) -> Result:
        try:
            return action()
        except DamagedIndexError:
            whole, ids = self._restore(), self.inner.ids()
            if not np.isin(ids, whole.ids()).all():
                raise StoreError(
                    "The database changed while a damaged index was read; run the command again."
                ) from None
            whole.remove(np.setdiff1d(whole.ids(), ids))
            self.inner = whole
            return action()
