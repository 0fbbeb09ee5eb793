"""The store beside a beets library, opened when it is first needed."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets.dbcore.pathutils import expand_path_from_db
from beets.exceptions import UserError

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.models import Models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beets.library import Item, Library

    from resonance_engine.ingest import Ingest
    from resonance_engine.store import Model, Store

FILE_NAME = "resonance.db"
IDS_AT_A_TIME = 10_000  # SQLite takes 32,766 values in a statement, some builds more


class ItemRow(NamedTuple):
    """What the sidecar needs of a library item: `path` is absolute."""

    id: int
    added: float
    path: bytes


class Coverage(NamedTuple):
    """How much of a library can be searched: tracks in it, embedded ones, and ones that failed.

    Events keep the last two; what changed while the plugin was off is counted after the next analysis only.
    """

    total: int
    embedded: int
    failed: int

    @property
    def missing(self) -> int:
        return max(0, self.total - self.embedded - self.failed)


class Sidecar:
    """A beets library's store: which of its items hold which sound. Nothing is ever written to the library itself."""

    def __init__(self, library: Library, settings: Settings | None = None) -> None:
        self.library = library
        self.settings = settings or Settings()

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
        """The number of this library in the store, which several libraries of one folder share."""
        from resonance_engine.errors import printable

        name = printable(os.fsencode(Path(self.library.path).name))
        return self.store.libraries.get_or_create(name)

    @property
    def model(self) -> Model | None:
        """The model whose vectors are searched; None before anything was analysed."""
        return self.store.models.active() if self.exists else None

    @cached_property
    def models(self) -> Models:
        """The models that there are to search with."""
        return Models(self)

    @contextmanager
    def ingest(self, name: str, threads: int | None = None) -> Iterator[Ingest]:
        """Worker processes that listen to files with the model of a name, for the time of a `with`."""
        from resonance_engine.ingest import Ingest
        from resonance_engine.worker.worker import WorkerPool

        count, stamped = self.settings.workers(threads), self.models.stamp(name)
        with closing(WorkerPool(self.models.path(name), count, self.settings.timeout)) as pool:
            made = Ingest(self.store, self.id, pool)
            self.models.note(name, made.model.id, stamped)
            yield made

    def coverage(self) -> Coverage:
        """Cheap: counts, no file is looked at and none is made."""
        with self.library.transaction() as transaction:
            total = transaction.query("SELECT COUNT(*) FROM items")[0][0]
        model = self.model
        if model is None:
            return Coverage(total, 0, len(self.store.failures.all(self.id)) if self.exists else 0)
        counts = self.store.tracks.counts(self.id, model.id)
        return Coverage(total, min(counts.embedded, total), counts.failed)

    def rows(self, query: list[str] | None = None) -> list[ItemRow]:
        """The items that match a query, or all, in order of id."""
        if query:
            return sorted(item_row(item) for item in self.library.items(query))
        with self.library.transaction() as transaction:
            found = transaction.query("SELECT id, added, path FROM items ORDER BY id")
        return [ItemRow(row["id"], row["added"] or 0.0, expand_path_from_db(bytes(row["path"]))) for row in found]

    def some_rows(self, item_ids: Iterable[int]) -> list[ItemRow]:
        """Items with these ids, in order of id; those that are gone are left out."""
        ordered = sorted(item_ids)
        found: list[ItemRow] = []
        for start in range(0, len(ordered), IDS_AT_A_TIME):
            chunk = ordered[start : start + IDS_AT_A_TIME]
            marks = ", ".join("?" * len(chunk))
            with self.library.transaction() as transaction:
                statement = f"SELECT id, added, path FROM items WHERE id IN ({marks}) ORDER BY id"  # noqa: S608 - marks
                rows = transaction.query(statement, chunk)
            found += [ItemRow(row["id"], row["added"] or 0.0, expand_path_from_db(bytes(row["path"]))) for row in rows]
        return found

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()


def item_row(item: Item) -> ItemRow:
    assert item.id is not None, "an item of a library has an id"
    return ItemRow(item.id, item.added or 0.0, item.path)
