"""The sidecar file as a place for transactions."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from resonance_engine.errors import StoreError
from resonance_engine.store.damage import DamageError
from resonance_engine.store.engine import sqlite_engine, use_write_ahead_log
from resonance_engine.store.migrations import MIGRATIONS, Migration, driver_of, migrate
from resonance_engine.store.models import StateTable
from resonance_engine.store.reading.file import PATIENCE
from resonance_engine.store.reading.view import GENERATION, Reading, last_generation
from resonance_engine.store.schema import schema_version
from resonance_engine.store.sentences import UNREADABLE, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Engine


@dataclass
class Transaction:
    """An open transaction; `generation` is that of the vector rows as this transaction sees them."""

    connection: Connection
    writes: bool
    generation: int
    changed: bool = False

    @property
    def driver(self) -> sqlite3.Connection:
        """The connection as what reads takes it."""
        return driver_of(self.connection)

    def next_generation(self) -> int:
        """The generation of vector rows that this transaction is about to change.

        It is a time in nanoseconds rather than a count, so that a file restored from a backup doesn't come by
        a number again that an index beside it already carries.
        """
        return self.generation if self.changed else max(self.generation + 1, time.time_ns())

    def advance(self, generation: int, rows: int) -> None:
        """Take note that `rows` vector rows were changed and carry `generation` now."""
        if rows:
            self.generation, self.changed = generation, True


class Database(Reading):
    """A sidecar file, opened (and made) at first use; safe to share between threads and processes.

    Each thread works in its own transaction. Writers take turns, readers see the last committed state and
    wait for nobody. A writer waits `patience` seconds for one of another process, and raises StoreError then.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS, patience: float = PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._migrations = migrations
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._local = threading.local()

    def close(self) -> None:
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def write(self) -> Iterator[None]:
        """Make one transaction of all that this thread does inside: on an error nothing of it is kept."""
        with self._transaction(writes=True):
            yield

    def _view(self) -> AbstractContextManager[Transaction]:
        return self._transaction()

    @contextmanager
    def _transaction(self, writes: bool = False) -> Iterator[Transaction]:
        current: Transaction | None = getattr(self._local, "transaction", None)
        if current is not None and (current.writes or not writes):
            yield current
            return
        if current is not None:
            raise RuntimeError("Write before or after `with store.read()`, not inside: what was read may have changed.")
        engine = self._opened()
        with self._sentences():
            if writes:
                with self._writing, self._begun(engine, writes=True) as transaction:
                    yield transaction
            else:
                with self._begun(engine, writes=False) as transaction:
                    yield transaction

    @contextmanager
    def _begun(self, engine: Engine, writes: bool) -> Iterator[Transaction]:
        with engine.connect().execution_options(writes=writes) as connection, connection.begin():
            transaction = Transaction(connection, writes, last_generation(driver_of(connection)))
            self._local.transaction = transaction
            try:
                yield transaction
                if transaction.changed:
                    remember(connection, GENERATION, transaction.generation)
            finally:
                self._local.transaction = None

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                engine = sqlite_engine(self.path, self._patience)
                try:
                    with self._sentences():
                        self._prepare(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _prepare(self, engine: Engine) -> None:
        newest = 1 + len(self._migrations)
        with engine.connect() as connection, connection.begin():
            version = schema_version(driver_of(connection), self.path, newest)
        # Only now, for it changes the file; and outside a transaction, as it must be.
        use_write_ahead_log(engine, self._patience)
        if version != newest:
            with engine.connect().execution_options(writes=True) as connection, connection.begin():
                migrate(connection, self.path, self._migrations)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(sentence(self.path, error.orig)) from error
        except sqlite3.Error as error:  # of what reads
            raise StoreError(sentence(self.path, error)) from error
        except UNREADABLE as error:
            raise DamageError(sentence(self.path, error)) from error


def remember(connection: Connection, key: str, value: Any) -> None:
    """Set a state row."""
    row = insert(StateTable).values(key=key, value=json.dumps(value))
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))
