"""Write transactions, through SQLAlchemy; docs/architecture.md names what another database than SQLite takes."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, delete, insert, literal, or_, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from resonance_engine.store.engine import sqlite_engine, use_write_ahead_log
from resonance_engine.store.migrations import copy_database
from resonance_engine.store.records import EMBEDDING
from resonance_engine.store.sqlite_file import APPLICATION_ID, schema_version
from resonance_engine.store.tables import LARGE, METADATA, REMOVED, VECTOR
from resonance_engine.store.transaction import GENERATION, Transaction, chunks, last_generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from resonance_engine.store.migrations import Migration


@dataclass
class WriteTransaction(Transaction):
    """An open transaction that holds the write lock; what it has written, it reads."""

    connection: Connection
    changed: bool = False

    def next_generation(self) -> int:
        """Return the generation of vector rows that this transaction is about to change.

        It is a time in nanoseconds rather than a count, so that a file restored from a backup doesn't come by
        a number again that an index beside it already carries.
        """
        return self.generation if self.changed else max(self.generation + 1, time.time_ns())

    def advance(self, generation: int, rows: int) -> None:
        """Record that `rows` vector rows were changed and carry `generation` now."""
        if rows:
            self.generation, self.changed = generation, True

    def upsert(
        self, table: str, rows: Sequence[Mapping[str, Any]], key: Sequence[str] = (), compare: Sequence[str] = ()
    ) -> int:
        """Insert rows, or replace the values of those with the same key; return how many rows were written.

        The key is the primary key unless given. With `compare`, a row that has the same values in these columns stays.
        """
        if not rows:
            return 0
        target = METADATA.tables[table]
        statement = sqlite.insert(target)
        keys = key or [column.name for column in target.primary_key]
        values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        differences = [target.c[name].is_distinct_from(statement.excluded[name]) for name in compare]
        where = or_(*differences) if differences else None
        statement = statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)
        return self.connection.execute(statement, rows).rowcount

    def update(self, table: str, values: Mapping[str, Any], **equal: Any) -> int:
        """Set values in the rows whose columns equal the given ones; return how many rows those were."""
        target = METADATA.tables[table]
        where = [target.c[name] == value for name, value in equal.items()]
        return self.connection.execute(update(target).where(*where).values(**values)).rowcount

    def delete(self, table: str, column: str, values: Iterable[Any], **equal: Any) -> int:
        """Delete the rows with one of the values in `column` whose other columns equal the given; return how many.

        Embeddings leave a tombstone, from which an index of an earlier generation learns that they are gone.
        """
        target, rows = METADATA.tables[table], 0
        for chunk in chunks(values):
            where = and_(target.c[column].in_(chunk), *(target.c[name] == value for name, value in equal.items()))
            if target is VECTOR:
                generation = self.next_generation()
                embeddings = select(VECTOR.c.id, VECTOR.c.model_id, literal(generation, LARGE))
                embeddings = embeddings.where(where, VECTOR.c.kind == EMBEDDING)
                names = ["vector_id", "model_id", "generation"]
                self.connection.execute(insert(REMOVED).from_select(names, embeddings))
                deleted = self.connection.execute(delete(target).where(where)).rowcount
                self.advance(generation, deleted)
            else:
                deleted = self.connection.execute(delete(target).where(where)).rowcount
            rows += deleted
        return rows

    def clear(self, table: str) -> int:
        """Delete all rows of a table; return how many those were."""
        return self.connection.execute(delete(METADATA.tables[table])).rowcount


class Writer:
    """The connections that write to a file, which is made or migrated when they are opened."""

    def __init__(self, path: Path, migrations: Sequence[Migration], patience: float) -> None:
        self._path = path
        self._engine = sqlite_engine(path, patience)
        try:
            with _driver_errors():
                self._prepare(migrations, patience)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[WriteTransaction]:
        with (
            _driver_errors(),
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            driver = driver_of(connection)
            transaction = WriteTransaction(driver, last_generation(driver), connection)
            yield transaction
            if transaction.changed:
                transaction.upsert("state", [{"key": GENERATION, "value": json.dumps(transaction.generation)}])

    def _prepare(self, migrations: Sequence[Migration], patience: float) -> None:
        newest = 1 + len(migrations)
        with self._engine.connect() as connection, connection.begin():
            version = schema_version(driver_of(connection), self._path, newest)
        # Only now, for it changes the file; and outside a transaction, as it must be.
        use_write_ahead_log(self._engine, patience)
        if version != newest:
            with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
                self._migrate(connection, migrations)

    def _migrate(self, connection: Connection, migrations: Sequence[Migration]) -> None:
        """Create the tables, or migrate older ones after copying their file to `<name>.v<schema>.bak`."""
        newest = 1 + len(migrations)
        version = schema_version(driver_of(connection), self._path, newest)  # another process may have been faster
        if version == newest:
            return
        if version == 0:
            METADATA.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        else:
            copy_database(self._path, self._path.with_name(f"{self._path.name}.v{version}.bak"))
            for step in migrations[version - 1 :]:
                step(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {newest}")


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return SQLite's own connection below one of SQLAlchemy's: what the one has written, the other reads."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection), "it was made by sqlite3.connect"
    return driver


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise the error of SQLite itself where SQLAlchemy wraps one."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
