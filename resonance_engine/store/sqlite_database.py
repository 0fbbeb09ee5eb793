"""Transactions on a sidecar file: snapshots to read, through plain sqlite3, and turns to write."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.database import Database
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
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.writer import Writer, WriteTransaction

LIBRARY_LOCKED = "The beets library is being written by another program; try again when that is done."
# The file is written again when at least so many bytes, and so much of it, would be saved.
WORTHWHILE_BYTES = 1_000_000
WORTHWHILE_SHARE = 0.1
SIZES = ("page_size", "page_count", "freelist_count")
SET_STATE = "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class SqliteDatabase(Database):
    """A sidecar file, opened (and made, or migrated) at first use; safe to share between threads and processes.

    Where another file takes its place, as by a repair, that is opened, and what is read comes from it from then on.
    A writer waits `patience` seconds for one of another process, and raises StoreError then. SQLAlchemy is loaded by
    the first write, or where the file has to be made or migrated.
    """

    _idle: list[sqlite3.Connection]

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS, patience: float = PATIENCE) -> None:
        super().__init__()
        self.path = path
        self.name = printable(path)
        self._migrations = migrations
        self._patience = patience
        self._file = identify_file(path)

    @property
    def exists(self) -> bool:
        return self.path.exists()

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        has_begun = False
        try:
            with self._opening:
                self._close_replaced()
                file = self._file
                driver = self._idle.pop() if self._idle else self._connect()
            try:
                driver.execute("BEGIN")
                driver.execute("SELECT 1 FROM state")  # with which the snapshot begins
                has_begun = True
                yield driver
            finally:
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
    def transaction(self) -> Iterator[WriteTransaction]:
        try:
            self._close_replaced()
            writer = self._open_writer()
            with self._turn_to_write, writer.transaction() as transaction:
                yield transaction
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

    def last_ids(self, snapshot: Snapshot) -> dict[str, int]:
        return dict(snapshot.execute("SELECT name, seq FROM sqlite_sequence").fetchall())

    def compact(self) -> int:
        """Write the file again without its empty pages, where that is worthwhile; return how many bytes that saved.

        Does nothing while another program uses the file, or where there is no room for a second one.
        """
        with self.read() as snapshot:
            size, count, free = (snapshot.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in SIZES)
        if size * free < WORTHWHILE_BYTES or free < WORTHWHILE_SHARE * count:
            return 0
        before = self.size
        self.close()
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(0, before - self.size)

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

    def _make_writer(self) -> Writer:
        from resonance_engine.store.writer import SqliteWriter

        return SqliteWriter(self.path, self._migrations, self._patience)


def identify_file(path: Path) -> tuple[int, int] | None:
    """Return the device and the number of a file, None where there is none; no two open files share them."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
