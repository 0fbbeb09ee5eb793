"""Write transactions, through SQLAlchemy; docs/architecture.md names what another database than SQLite takes."""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError

from resonance_engine.store.migrations import copy_database
from resonance_engine.store.records import EMBEDDING
from resonance_engine.store.sqlite_file import (
    APPLICATION_ID,
    CHUNK,
    GENERATION,
    connect_to_write,
    read_generation,
    schema_version,
    use_write_ahead_log,
)
from resonance_engine.store.tables import LARGE, METADATA, REMOVED, VECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from resonance_engine.store.migrations import Migration
    from resonance_engine.store.snapshot import Snapshot


@dataclass
class WriteTransaction:
    """An open transaction that holds the write lock; what `connection` has written, `driver`, which is below it, reads.

    `generation` is that of the vector rows which it changed, None before the first.
    """

    connection: sa.Connection
    driver: Snapshot
    generation: int | None = None

    def next_generation(self) -> int:
        """Return the generation of vector rows that this transaction is about to change.

        It is a time in nanoseconds rather than a count, so that a file restored from a backup doesn't come by
        a number again that an index beside it already carries.
        """
        return self.generation or max(read_generation(self.driver) + 1, time.time_ns())

    def advance(self, generation: int, rows: int) -> None:
        """Record that `rows` vector rows were changed and carry `generation` now."""
        if rows and self.generation is None:
            self.generation = generation
            self.upsert("state", [{"key": GENERATION, "value": str(generation)}])

    def insert(self, table: str) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT of the database's dialect, which can replace rows."""
        return sqlite.insert(METADATA.tables[table])

    def set_last_ids(self, ids: Mapping[str, int]) -> None:
        """Let ids go on after these, by table; of tables whose ids may be used again, after those that are there."""
        for table, last in ids.items():
            self.driver.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            self.driver.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, each the values of all columns in their order, into a table that has none of their keys.

        Raises ValueError with the reason where the database does not take one; nothing more can be written then.
        """
        target = METADATA.tables[table]
        names = target.columns.keys()
        try:
            self.connection.execute(sa.insert(target), [dict(zip(names, row, strict=True)) for row in rows])
        except IntegrityError as error:
            raise ValueError(str(error.orig)) from error

    def upsert(
        self, table: str, rows: Sequence[Mapping[str, Any]], key: Sequence[str] = (), compare: Sequence[str] = ()
    ) -> int:
        """Insert rows, or replace the values of those with the same key; return how many rows were written.

        The key is the primary key unless given. With `compare`, a row that has the same values in these columns stays.
        """
        if not rows:
            return 0
        statement = self.insert(table)
        target = statement.table
        keys = key or [column.name for column in target.primary_key]
        values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        differences = [target.c[name].is_distinct_from(statement.excluded[name]) for name in compare]
        where = sa.or_(*differences) if differences else None
        statement = statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)
        return self.connection.execute(statement, rows).rowcount

    def update(self, table: str, values: Mapping[str, Any], **equal: Any) -> int:
        """Set values in the rows whose columns equal the given ones; return how many rows those were."""
        target = METADATA.tables[table]
        where = [target.c[name] == value for name, value in equal.items()]
        return self.connection.execute(sa.update(target).where(*where).values(**values)).rowcount

    def delete(self, table: str, column: str, values: Iterable[Any], **equal: Any) -> int:
        """Delete the rows with one of the values in `column` whose other columns equal the given; return how many.

        Embeddings leave a tombstone, from which an index of an earlier generation learns that they are gone.
        """
        target, rows, rest = METADATA.tables[table], 0, iter(values)
        while chunk := list(islice(rest, CHUNK)):
            where = sa.and_(target.c[column].in_(chunk), *(target.c[name] == value for name, value in equal.items()))
            if target is VECTOR:
                generation = self.next_generation()
                embeddings = sa.select(VECTOR.c.id, VECTOR.c.model_id, sa.literal(generation, LARGE))
                embeddings = embeddings.where(where, VECTOR.c.kind == EMBEDDING)
                names = ["vector_id", "model_id", "generation"]
                self.connection.execute(sa.insert(REMOVED).from_select(names, embeddings))
            deleted = self.connection.execute(sa.delete(target).where(where)).rowcount
            if target is VECTOR:
                self.advance(generation, deleted)
            rows += deleted
        return rows

    def clear(self, table: str) -> int:
        """Delete all rows of a table; return how many those were."""
        return self.connection.execute(sa.delete(METADATA.tables[table])).rowcount


class Writer(ABC):
    """The connections that write to a database, in which the tables are made or migrated when they are opened."""

    _engine: sa.Engine

    def close(self) -> None:
        self._engine.dispose()

    @abstractmethod
    def transaction(self) -> AbstractContextManager[WriteTransaction]:
        """Begin a transaction that holds the write lock; errors come as the driver's."""

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """Begin a transaction; errors come as the driver's, not as SQLAlchemy wraps them."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if error.orig is not None:
                raise error.orig from error
            raise


class SqliteWriter(Writer):
    """The connections that write to a file."""

    def __init__(self, path: Path, migrations: Sequence[Migration], patience: float) -> None:
        self._path = path
        newest = 1 + len(migrations)
        with closing(connect_to_write(path, patience)) as driver:
            driver.execute("BEGIN")
            version = schema_version(driver, path, newest)
            if version == newest:
                read_generation(driver)
            driver.rollback()
            # Only now, for it changes the file; and outside a transaction, as it must be.
            use_write_ahead_log(driver, patience)
        # Connections are kept open between transactions, for closing the last writes back the log. The path is not in
        # the URL, where some characters of it have a meaning. SQLAlchemy gives a connection to one thread at a time.
        self._engine = sa.create_engine(
            "sqlite://", creator=lambda: connect_to_write(path, patience), poolclass=sa.QueuePool, max_overflow=-1
        )
        if version != newest:
            try:
                with self.transaction() as transaction:
                    self._migrate(transaction, migrations)
            except BaseException:
                self.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[WriteTransaction]:
        with self._begin() as connection:
            # One that reads first and requests the write lock later fails at once when another one wrote in between,
            # whatever the time-out.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection), "it was made by sqlite3.connect"
            yield WriteTransaction(connection, driver)

    def _migrate(self, transaction: WriteTransaction, migrations: Sequence[Migration]) -> None:
        """Create the tables, or migrate older ones after copying their file to `<name>.v<schema>.bak`."""
        newest, connection = 1 + len(migrations), transaction.connection
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection), "it was made by sqlite3.connect"
        version = schema_version(driver, self._path, newest)  # another process may have been faster
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
