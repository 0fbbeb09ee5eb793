"""A sidecar file of this version, opened for reading alone."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from resonance_engine.errors import StoreError
from resonance_engine.store.reading.reader import Reader
from resonance_engine.store.reading.view import recalled
from resonance_engine.store.schema import VERSION, schema_version
from resonance_engine.store.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 10.0  # seconds to wait for whoever is writing
CACHE_KB = 8_000  # SQLite's own 2 MB do not hold the indexes of a large library


@dataclass(frozen=True)
class Snapshot:
    """One state of the file."""

    driver: sqlite3.Connection
    generation: int


class FileReader(Reader):
    """A file that is there and has the schema of this version; every verb raises StoreError when it can't be read."""

    def __init__(self, path: Path, *idle: sqlite3.Connection) -> None:
        self.path = path
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
                    self._local.snapshot = Snapshot(driver, recalled(driver, "generation") or 0)
                    yield self._local.snapshot
                finally:
                    self._local.snapshot = None
                    driver.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(sentence(self.path, error)) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone; they are kept open, for closing the last writes back the log."""
        with self._taking:
            driver = self._idle.pop() if self._idle else connected(self.path)
        try:
            yield driver
        finally:
            with self._taking:
                self._idle.append(driver)


def open_reader(path: Path) -> Reader | None:
    """A reader of a sidecar file; None where the file is not there or not of this version: ask `Store`, which makes it.

    Loads nothing but sqlite3 and numpy.
    """
    try:
        driver = connected(path)
    except sqlite3.Error:
        return None
    try:
        if schema_version(driver, path, VERSION) == VERSION:
            return FileReader(path, driver)
    except (sqlite3.Error, StoreError):
        pass  # Store says what is wrong.
    driver.close()
    return None


def connected(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing; sqlite3.Error where there is no file.

    SQLite is let write all the same: a reader that can't leaves its log beside the file.
    """
    location = f"file:{quote(os.fsencode(path.absolute()))}?mode=rw"
    driver = sqlite3.connect(location, timeout=PATIENCE, uri=True, check_same_thread=False, isolation_level=None)
    try:
        driver.execute("PRAGMA query_only = ON")
        driver.execute(f"PRAGMA cache_size = {-CACHE_KB}")
    except BaseException:
        driver.close()
        raise
    return driver
