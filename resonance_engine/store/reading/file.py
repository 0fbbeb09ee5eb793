"""A sidecar file of this version, opened for reading alone."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from resonance_engine.errors import StoreError
from resonance_engine.store.damage import DamageError
from resonance_engine.store.reading.reader import Reader
from resonance_engine.store.reading.view import last_generation
from resonance_engine.store.schema import VERSION, schema_version
from resonance_engine.store.sentences import UNREADABLE, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0  # seconds to wait for whoever is writing
# In turn: a reader that may not write leaves its log beside the file; on a medium that nobody can write to, SQLite
# reads a file with a log only where the log is whole, and one without a log only when told that it stays as it is.
WAYS = ("mode=rw", "mode=ro", "mode=ro&immutable=1")
UNWRITABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
)
CACHE_KB = 8_000  # SQLite's own 2 MB do not hold the indexes of a large library


@dataclass(frozen=True)
class Snapshot:
    """One state of the file."""

    driver: sqlite3.Connection
    generation: int


class FileReader(Reader):
    """A file that is there and has the schema of this version; every verb raises StoreError when it can't be read."""

    def __init__(self, path: Path, *idle: sqlite3.Connection, patience: float = PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._idle = list(idle)
        self._taking = threading.Lock()
        self._local = threading.local()

    def close(self) -> None:
        with self._taking:
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _view(self) -> Iterator[Snapshot]:
        current: Snapshot | None = getattr(self._local, "snapshot", None)
        if current is not None:
            yield current
            return
        try:
            with self._connection() as driver:
                driver.execute("BEGIN")
                try:
                    self._local.snapshot = Snapshot(driver, last_generation(driver))
                    yield self._local.snapshot
                finally:
                    self._local.snapshot = None
                    driver.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(sentence(self.path, error)) from error
        except UNREADABLE as error:
            raise DamageError(sentence(self.path, error)) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone; they are kept open, for closing the last writes back the log."""
        with self._taking:
            driver = self._idle.pop() if self._idle else connected(self.path, self._patience)
        try:
            yield driver
        finally:
            with self._taking:
                self._idle.append(driver)


def open_reader(path: Path, patience: float = PATIENCE) -> Reader | None:
    """A reader of a sidecar file; None where the file is not there or not of this version: ask `Store`, which makes it.

    The file may lie where nothing can be written. Loads nothing but sqlite3 and numpy.
    """
    try:
        driver = connected(path, patience)
    except (sqlite3.Error, *UNREADABLE):
        return None  # Store says what is wrong.
    try:
        if schema_version(driver, path, VERSION) == VERSION:
            return FileReader(path, driver, patience=patience)
    except (sqlite3.Error, StoreError, *UNREADABLE):
        pass
    driver.close()
    return None


def connected(path: Path, patience: float) -> sqlite3.Connection:
    """A connection that changes nothing; sqlite3.Error where there is no file, or none that can be read."""
    for way in WAYS[:-1]:
        try:
            return connected_by(way, path, patience)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in UNWRITABLE or not path.exists():
                raise
            refusal = error
    log = Path(f"{path.resolve()}-wal")
    # Without what is in its log, a file would be read in an earlier state, or torn.
    if log.exists() and log.stat().st_size:
        raise refusal
    return connected_by(WAYS[-1], path, patience)


def connected_by(way: str, path: Path, patience: float) -> sqlite3.Connection:
    location = f"file:{quote(os.fsencode(path.absolute()))}?{way}"
    driver = sqlite3.connect(location, timeout=patience, uri=True, check_same_thread=False, isolation_level=None)
    try:
        driver.execute("PRAGMA query_only = ON")
        driver.execute(f"PRAGMA cache_size = {-CACHE_KB}")
        driver.execute("PRAGMA schema_version")  # the first thing that reads the file
    except BaseException:
        driver.close()
        raise
    return driver
