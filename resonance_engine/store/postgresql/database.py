"""Transactions on a PostgreSQL database: snapshots to read, through psycopg alone, and turns to write."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg

from resonance_engine.errors import StoreError
from resonance_engine.store.database import Database
from resonance_engine.store.errors import UNREADABLE
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.postgresql.address import require_packages
from resonance_engine.store.postgresql.connection import SCHEMA, ServerSnapshot, connect, take_turn
from resonance_engine.store.postgresql.errors import (
    OlderSchemaError,
    connection_error,
    server_error,
    verify_version,
)
from resonance_engine.store.postgresql.prerequisites import verify_prerequisites
from resonance_engine.store.sqlite_file import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from resonance_engine.store.migrations import Migration
    from resonance_engine.store.postgresql.address import Address
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.writer import Writer, WriteTransaction

BEGIN = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
STATE = "SELECT version, identity, revision FROM sidecar"
SET_STATE = "INSERT INTO state (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint FROM pg_class "  # noqa: S608 - a constant
    f"JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = '{SCHEMA}' AND relkind = 'r'"
)


# When a server is tried again that kept this process waiting in vain, and what to raise until then: a list of a
# thousand tracks, with a field that is stored there, tries as many times.
UNREACHABLE: dict[str, tuple[float, str]] = {}
SLOW, RETRY_SECONDS = 1.0, 30.0


class ServerDatabase(Database):
    """A sidecar in a PostgreSQL database, made or migrated at first use; threads, processes and machines may share it.

    A writer waits `patience` seconds for another one, and raises StoreError then. Connections that a server closed
    while they were idle are made again; in the midst of a transaction that raises StoreError, and nothing of it is
    kept.
    """

    _idle: list[psycopg.Connection[Any]]

    def __init__(
        self, address: Address, patience: float = PATIENCE, migrations: Sequence[Migration] = MIGRATIONS
    ) -> None:
        super().__init__()
        self.address = address
        self.name = address.name
        self._patience = patience
        self._migrations = migrations
        self._exists = False

    @property
    def exists(self) -> bool:
        if not self._exists:
            with self._errors(), self._opening:
                driver, self._exists = self._connect()
                if self._exists:
                    self._idle.append(driver)
                else:
                    driver.close()
        return self._exists

    @property
    def obstacle(self) -> str:
        if self.exists:
            return ""
        with self._errors():
            driver, _ = self._connect()
            with driver:
                try:
                    return verify_prerequisites(self.name, driver)[1]
                except StoreError as error:
                    return str(error)

    @property
    def size(self) -> int:
        with self.read() as snapshot:
            return int(snapshot.execute(SIZE).fetchone()[0])

    @property
    def identity(self) -> str:
        return str(self._state()[1])

    @property
    def revision(self) -> int:
        return int(self._state()[2])

    def _state(self) -> tuple[int, UUID, int]:
        """Return the schema version of the sidecar, what tells it from all others, and the count of writes."""
        with self.read() as snapshot:
            version, identity, revision = snapshot.execute(STATE).fetchone()
            return version, identity, revision

    @contextmanager
    def snapshot(self) -> Iterator[ServerSnapshot]:
        with self._errors():
            driver = self._begin_reading()
            try:
                yield ServerSnapshot(driver)
            finally:
                with suppress(psycopg.Error):  # a lost connection, of which the reader's own error tells
                    driver.rollback()
                with self._opening:
                    if driver.closed:
                        driver.close()
                    else:
                        self._idle.append(driver)

    @contextmanager
    def transaction(self) -> Iterator[WriteTransaction]:
        with self._errors():
            writer = self._open_writer()
            with self._turn_to_write, writer.transaction() as transaction:
                yield transaction

    def write_state(self, key: str, text: str) -> None:
        """Write one row of `state`; without SQLAlchemy where it isn't loaded yet."""
        if self._writer is not None or self._open.reading is not None:
            with self.write() as transaction:
                transaction.upsert("state", [{"key": key, "value": text}])
            return
        with self.read():
            pass  # the tables are there and of this version now
        with self._errors():
            driver, _ = self._connect()
            with driver, driver.transaction():
                self._verify_version(take_turn(driver))
                driver.execute(SET_STATE, (key, text))

    def last_ids(self, snapshot: Snapshot) -> dict[str, int]:
        [(last, is_used)] = snapshot.execute("SELECT last_value, is_called FROM vector_id_seq").fetchall()
        return {"vector": last} if is_used else {}

    def compact(self) -> int:
        """Return 0: a server gives room back by itself."""
        return 0

    def _begin_reading(self) -> psycopg.Connection[Any]:
        """Return a connection in a new snapshot; one that was lost while it was idle is replaced."""
        with self._opening:
            while self._idle:
                driver = self._idle.pop()
                with suppress(psycopg.OperationalError, psycopg.InterfaceError):
                    return self._enter(driver)
            driver, self._exists = self._connect()
            if self._exists:
                with suppress(OlderSchemaError):
                    return self._enter(driver)
            driver.close()
            self._open_writer()
            return self._enter(self._connect()[0])

    def _enter(self, driver: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
        """Begin a snapshot; the connection is closed where that fails."""
        try:
            driver.execute(BEGIN)
            row = driver.execute(STATE.encode()).fetchone()  # with which the snapshot begins
            self._verify_version(row[0] if row else 0)
        except BaseException:
            driver.close()
            raise
        return driver

    def _verify_version(self, version: int) -> None:
        verify_version(self.name, version, 1 + len(self._migrations))

    def _connect(self) -> tuple[psycopg.Connection[Any], bool]:
        location, start = self.address.location, time.monotonic()
        until, message = UNREACHABLE.get(location, (start, ""))
        if start < until:
            raise StoreError(message)
        try:
            return connect(self.address, self._patience)
        except psycopg.Error as error:
            problem, now = connection_error(self.address, error), time.monotonic()
            if now - start > SLOW:
                UNREACHABLE[location] = now + RETRY_SECONDS, str(problem)
            raise problem from error

    def _make_writer(self) -> Writer:
        with require_packages():
            from resonance_engine.store.postgresql.writer import ServerWriter

        writer = ServerWriter(self.address, self._connect, self._migrations)
        self._exists = True
        return writer

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of psycopg, and values that make no sense, as sentences."""
        try:
            yield
        except (psycopg.Error, *UNREADABLE) as error:
            raise server_error(self.address, error) from error
