"""The sidecar: all that is known of recordings, and which items of which libraries hold them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from resonance_engine.store.annotations import AnalysisTable, TagTable
from resonance_engine.store.arrays import ArrayTable
from resonance_engine.store.maintenance import Maintenance
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.models import ModelTable
from resonance_engine.store.passages import PassageTable
from resonance_engine.store.sqlite_database import SqliteDatabase
from resonance_engine.store.sqlite_file import PATIENCE, read_generation
from resonance_engine.store.state import IncompatiblePairs, IncompatibleQueries, StateTable
from resonance_engine.store.tracks import FailureTable, LibraryTable, TrackTable
from resonance_engine.store.vectors import VectorTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from resonance_engine.store.database import Database
    from resonance_engine.store.migrations import Migration


class Store:
    """What is known of recordings, in an SQLite file or another database; the only truth, of which indexes are copies.

        with Store(path) as store:
            store.models.register(model)
            library = store.libraries.get_or_create("home")
            with store.write():
                store.vectors.put(content_key, model.id, embedding)
                store.tracks.link(library, track)

    Each part reads and writes one table. A file is opened, or made, at first use. Each method is a transaction of
    its own, unless `write()` or `read()` groups several; threads may share a store, and processes a file. Every
    method raises StoreError, a sentence, when the file can't be used.
    """

    def __init__(
        self, database: Path | Database, migrations: Sequence[Migration] = MIGRATIONS, patience: float = PATIENCE
    ) -> None:
        if isinstance(database, Path):
            database = SqliteDatabase(database, migrations, patience)
        self.database = database
        self.read, self.write = database.read, database.write
        self.close = database.close
        self.libraries = LibraryTable(database)
        self.tracks = TrackTable(database)
        self.models = ModelTable(database)
        self.vectors = VectorTable(database)
        self.tags = TagTable(database)
        self.passages = PassageTable(database)
        self.analyses = AnalysisTable(database)
        self.arrays = ArrayTable(database)
        self.failures = FailureTable(database)
        self.state = StateTable(database)
        self.incompatible_pairs = IncompatiblePairs(database)
        self.incompatible_queries = IncompatibleQueries(database)
        self.maintenance = Maintenance(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """What messages name it by."""
        return self.database.name

    @property
    def path(self) -> Path:
        """The file of a store that is one."""
        assert isinstance(self.database, SqliteDatabase), "other databases have an address"
        return self.database.path

    @property
    def generation(self) -> int:
        """A number that rises exactly with each transaction that changes vectors; 0 before the first."""
        with self.read() as snapshot:
            return read_generation(snapshot)
