"""The store beside a beets library, opened when it is first needed."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets.dbcore.pathutils import expand_path_from_db
from beets.exceptions import UserError

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.item_query import select_rows
from beetsplug.resonance.library.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Row

    from beets.library import Item, Library

    from resonance_engine.ingest import Job
    from resonance_engine.store import Model, Store

FILE_NAME = "resonance.db"


class ItemRow(NamedTuple):
    """The columns of a library item that the sidecar needs; `path` is absolute."""

    id: int
    added: float
    path: bytes

    @classmethod
    def of(cls, item: Item) -> ItemRow:
        assert item.id is not None, "an item of a library has an id"
        return cls(item.id, item.added or 0.0, item.path)

    @classmethod
    def read(cls, row: Row) -> ItemRow:
        return cls(row["id"], row["added"] or 0.0, expand_path_from_db(bytes(row["path"])))

    def job(self) -> Job:
        """Return the job to analyse the item's file."""
        from resonance_engine.ingest import Job

        return Job(self.id, self.added, Path(os.fsdecode(self.path)))


class Coverage(NamedTuple):
    """How much of a library can be searched: its tracks, the embedded and the failed ones.

    Events keep the last two; what changed while the plugin was off is counted after the next analysis only.
    """

    total: int
    embedded: int
    failed: int

    @property
    def missing(self) -> int:
        return max(0, self.total - self.embedded - self.failed)


class Sidecar:
    """A beets library's store, which ties its items to recordings. Nothing is ever written to the library itself."""

    def __init__(self, library: Library, settings: Settings | None = None, runtime: Runtime | None = None) -> None:
        self.library = library
        self.settings = settings or Settings()
        self.runtime = runtime or Runtime()

    @property
    def path(self) -> Path:
        database = Path(self.library.path)
        if str(database) == ":memory:":
            raise UserError("resonance keeps its data beside the library's file, and this library has no file")
        return database.with_name(FILE_NAME)

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored; False for a library without a file."""
        return str(self.library.path) != ":memory:" and self.path.exists()

    @cached_property
    def store(self) -> Store:
        from resonance_engine.store import Store

        return Store(self.path)

    @cached_property
    def id(self) -> int:
        """The id of this library in the store, which several libraries of one folder share."""
        from resonance_engine.errors import printable

        name = printable(os.fsencode(Path(self.library.path).name))
        return self.store.libraries.get_or_create(name)

    @property
    def model(self) -> Model | None:
        """The model whose vectors are searched; None before anything was analysed."""
        return self.store.models.active() if self.exists else None

    def coverage(self) -> Coverage:
        """Count tracks in both databases; looks at no file and makes none."""
        with self.library.transaction() as transaction:
            total = transaction.query("SELECT COUNT(*) FROM items")[0][0]
        model = self.model
        if model is None:
            return Coverage(total, 0, len(self.store.failures.all(self.id)) if self.exists else 0)
        counts = self.store.tracks.counts(self.id, model.id)
        return Coverage(total, min(counts.embedded, total), counts.failed)

    def rows(self, query: list[str] | None = None) -> list[ItemRow]:
        """Return the items that a query matches, or all, in order of id."""
        if query:
            return sorted(map(ItemRow.of, self.library.items(query)))
        with self.library.transaction() as transaction:
            return list(map(ItemRow.read, transaction.query("SELECT id, added, path FROM items ORDER BY id")))

    def rows_by_id(self, item_ids: Iterable[int]) -> list[ItemRow]:
        """Return the items with these ids, in order of id; those that are gone are left out."""
        statement = "SELECT id, added, path FROM items WHERE id IN"
        return sorted(ItemRow.read(row) for row in select_rows(self.library, statement, item_ids))

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()
