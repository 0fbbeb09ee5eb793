"""Transactions on a sidecar file: snapshots to read, through plain sqlite3, and turns to write."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.errors import UNREADABLE, UNWRITABLE, WAITED, error_code, find_owner, store_error
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.sqlite_file import (
    PATIENCE,
    connect_to_read,
    connect_to_write,
    read_generation,
    schema_version,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from resonance_engine.store.migrations import Migration
    from resonance_engine.store.writer import Writer, WriteTransaction

LIBRARY_LOCKED = "The beets library is being written by another program; try again when that is done."
SET_STATE = "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class _OpenTransactions(threading.local):
    """The transactions that the current thread is in."""

    reading: sqlite3.Connection | None = None
    writing: WriteTransaction | None = None


class Database:
    """A sidecar file, opened (and made, or migrated) at first use; safe to share between threads and processes.

    Where another file takes its place, as by a repair, that is opened, and what is read comes from it from then on.
    Each thread works in its own transaction. Writers take turns, readers see the last committed state and never wait.
    A writer waits `patience` seconds for one of another process, and raises StoreError then. SQLAlchemy is loaded by
    the first write, or where the file has to be made or migrated.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS, patience: float = PATIENCE) -> None:
        self.path = path
        self._migrations = migrations
        self._patience = patience
        self._opening = threading.RLock()
        self._turn_to_write = threading.Lock()
        self._open = _OpenTransactions()
        self._idle: list[sqlite3.Connection] = []
        self._writer: Writer | None = None
        self._file = identify_file(path)

    def close(self) -> None:
        """Close the file; using it again opens it again."""
        with self._opening:
            while self._idle:
                self._idle.pop().close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Let everything that this thread reads inside come from one state of the file, which the connection shows.

        Within a `write`, it is the state with what was written so far.
        """
        current = self._open.writing.driver if self._open.writing else self._open.reading
        if current is not None:
            yield current
            return
        has_begun = False
        try:
            with self._opening:
                self._close_replaced()
                file = self._file
                driver = self._idle.pop() if self._idle else self._connect()
            try:
                driver.execute("BEGIN")
                driver.execute("SELECT 1 FROM state")  # with which the snapshot begins
                self._open.reading, has_begun = driver, True
                yield driver
            finally:
                self._open.reading = None
                driver.rollback()
                with self._opening:
                    if file == self._file:
                        self._idle.append(driver)  # kept open, for closing the last writes back the log
                    else:
                        driver.close()
        except (sqlite3.Error, *UNREADABLE) as error:
            if has_begun and error_code(error) in WAITED:  # who reads this file never waits
                raise StoreError(LIBRARY_LOCKED) from error
            raise store_error(self.path, error) from error

    @contextmanager
    def write(self) -> Iterator[WriteTransaction]:
        """Make one transaction of all that this thread does inside: on an error nothing of it is kept."""
        if self._open.writing is not None:
            yield self._open.writing
            return
        if self._open.reading is not None:
            raise RuntimeError("Write before or after `with store.read()`, not inside: what was read may have changed.")
        try:
            self._close_replaced()
            writer = self._writer or self._open_writer()
            with self._turn_to_write, writer.transaction() as transaction:
                self._open.writing = transaction
                try:
                    yield transaction
                finally:
                    self._open.writing = None
        except (sqlite3.Error, *UNREADABLE) as error:
            raise store_error(self.path, error) from error

    def write_state(self, key: str, text: str) -> None:
        """Write one row of `state`.

        Without SQLAlchemy where it isn't loaded yet: that takes longer than a command that has nothing else to write.
        """
        if self._writer is not None or self._open.reading is not None:
            with self.write() as transaction:
                transaction.upsert("state", [{"key": key, "value": text}])
            return
        with self.read():
            pass  # the file is there and of this version now
        try:
            with closing(connect_to_write(self.path, self._patience)) as driver:
                driver.execute(SET_STATE, (key, text))
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error

    def _close_replaced(self) -> None:
        """Close a file in whose place another one is; SQLite leaves the other's log alone, which has the same name."""
        with self._opening:
            file = identify_file(self.path)
            if file != self._file and self._file is not None:  # else it is what this has made
                self.close()
            self._file = file

    def _connect(self) -> sqlite3.Connection:
        """Connect to the file, which is created or migrated first where that is needed."""
        newest = 1 + len(self._migrations)
        version = newest
        # Where there is no file yet, or none that can be read, the writer creates it or raises what is wrong with it.
        with suppress(sqlite3.Error, *UNREADABLE), ExitStack() as on_exit:
            driver = connect_to_read(self.path, self._patience)
            on_exit.callback(driver.close)
            version = schema_version(driver, self.path, newest)
            if version == newest:
                read_generation(driver)  # by which all indexes are judged, so that a damaged one is noticed at once
                on_exit.pop_all()
                return driver
        try:
            self._open_writer()
        except sqlite3.Error as error:
            if not 0 < version < newest or error_code(error) not in UNWRITABLE:
                raise
            raise StoreError(
                f"{printable(self.path)} was written by an earlier Resonance (schema {version}, this one reads "
                f"{newest}), and you may not write to it. A command such as `beet resonance status` by its owner, "
                f"{find_owner(self.path)}, brings it up to date."
            ) from error
        return connect_to_read(self.path, self._patience)

    def _open_writer(self) -> Writer:
        with self._opening:
            if self._writer is None:
                from resonance_engine.store.writer import Writer

                self._writer = Writer(self.path, self._migrations, self._patience)
            return self._writer


def identify_file(path: Path) -> tuple[int, int] | None:
    """Return the device and the number of a file, None where there is none; no two open files share them."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
