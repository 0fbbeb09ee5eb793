"""The sidecar: all that is known of recordings, and which items of which libraries hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from resonance_engine.store.analyses import AnalysisTable
from resonance_engine.store.database import Database
from resonance_engine.store.failures import FailureTable
from resonance_engine.store.incompatible_pairs import IncompatiblePairs
from resonance_engine.store.maintenance import Maintenance
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.models import ModelTable
from resonance_engine.store.sqlite_file import PATIENCE
from resonance_engine.store.state import StateTable
from resonance_engine.store.tags import TagTable
from resonance_engine.store.tracks import LibraryTable, TrackTable
from resonance_engine.store.vectors import VectorTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from resonance_engine.store.migrations import Migration


class Store:
    """What is known of recordings, in one SQLite file; the only truth, of which indexes are copies.

        with Store(path) as store:
            store.models.register(model)
            library = store.libraries.get_or_create("home")
            with store.write():
                store.vectors.put(content_key, model.id, embedding)
                store.tracks.link(library, track)

    Each part reads and writes one table. The file is opened, or made, at first use. Each method is a transaction of
    its own, unless `write()` or `read()` groups several; threads may share a store, and processes a file. Every
    method raises StoreError, a sentence, when the file can't be used.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS, patience: float = PATIENCE) -> None:
        self.path = path
        self.database = database = Database(path, migrations, patience)
        self.libraries = LibraryTable(database)
        self.tracks = TrackTable(database)
        self.models = ModelTable(database)
        self.vectors = VectorTable(database)
        self.tags = TagTable(database)
        self.analyses = AnalysisTable(database)
        self.failures = FailureTable(database)
        self.state = StateTable(database)
        self.incompatible_pairs = IncompatiblePairs(database)
        self.maintenance = Maintenance(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; using the store again opens it again."""
        self.database.close()

    @property
    def generation(self) -> int:
        """A number that rises exactly with each transaction that changes vectors; 0 before the first."""
        with self.database.read() as transaction:
            return transaction.generation

    def read(self) -> AbstractContextManager[object]:
        """Let everything that this thread reads inside come from one state of the store."""
        return self.database.read()

    def write(self) -> AbstractContextManager[object]:
        """Make one transaction of all that this thread does inside: on an error nothing of it is kept."""
        return self.database.write()
