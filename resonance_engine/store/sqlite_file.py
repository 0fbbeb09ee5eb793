"""The SQLite file: connections of sqlite3, also where nothing can be written; schema version, values of columns."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.errors import DamageError, UnreadableError, find_logs
from resonance_engine.store.memory_copy import copy_to_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from resonance_engine.store.snapshot import Snapshot

APPLICATION_ID = int.from_bytes(b"RSNC", "big")
LOGS = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database, by the end of its name
VERSION = 3
"""The schema of a new file; `migrations.MIGRATIONS` leads to it."""
TABLES = {"library", "model", "track", "vector", "window", "analysis", "failure", "state"}
"""Those of every version, by which a file is ours whatever its header says."""
GENERATION = "generation"  # the row of `state` with the generation of the vector rows
PATIENCE = 10.0  # seconds to wait for another writer
CHUNK = 10_000  # SQLite takes 32,766 parameters in a statement, older builds fewer
# In turn: a reader that may not write leaves its log beside the file; on a read-only medium, SQLite reads a file with
# a log only where the log has its index, and one without a log only when it may assume that the file stays as it is.
MODES = ("mode=rw", "mode=ro", "mode=ro&immutable=1")
UNWRITABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
)
WRITE_PRAGMAS = (
    "page_size = 16384",  # must come before the first table is made
    # One wait for the disk a batch, so that not even a power cut loses more than that.
    "synchronous = FULL",
    "foreign_keys = ON",
)
CACHE_KB = 8_000  # SQLite's own 2 MB do not hold the indexes of a large library


def connect_to_read(path: Path, patience: float) -> sqlite3.Connection:
    """Return a connection that changes nothing; sqlite3.Error where there is no file, or none that can be read.

    Raises StoreError for a log that may not be read.
    """
    for mode in MODES:
        location = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
        try:
            return prepare_to_read(
                sqlite3.connect(location, timeout=patience, uri=True, check_same_thread=False, isolation_level=None)
            )
        except sqlite3.Error as error:
            if mode == MODES[-1] or error.sqlite_errorcode & 0xFF not in UNWRITABLE or not path.exists():
                raise
            if mode == MODES[-2] and find_logs(path):
                return prepare_to_read(copy_to_memory(path))
    raise AssertionError("the last mode returns or raises")


def prepare_to_read(driver: sqlite3.Connection) -> sqlite3.Connection:
    """Return the connection, set to change nothing; it is closed where it can't read."""
    with ExitStack() as on_error:
        on_error.callback(driver.close)
        driver.execute("PRAGMA query_only = ON")
        driver.execute(f"PRAGMA cache_size = {-CACHE_KB}")
        driver.execute("PRAGMA schema_version")  # the first thing that reads the file
        on_error.pop_all()
    return driver


def connect_to_write(path: Path, patience: float) -> sqlite3.Connection:
    """Return a connection that waits `patience` seconds for another writer, in autocommit mode."""
    driver = sqlite3.connect(path, timeout=patience, check_same_thread=False, isolation_level=None)
    for pragma in WRITE_PRAGMAS:
        driver.execute(f"PRAGMA {pragma}")
    return driver


def use_write_ahead_log(driver: sqlite3.Connection, patience: float = PATIENCE) -> None:
    """Switch the file to write-ahead logging; file systems without shared memory keep their journal."""
    deadline = time.monotonic() + patience
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite doesn't wait here by itself when another process is making the same file.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def is_own_database(path: Path) -> bool:
    """Return whether a file is a database of ours, or an empty one, as SQLite makes it first; OSError as reading it."""
    with path.open("rb") as file:
        header = file.read(72)
    return not header or (header.startswith(b"SQLite format 3\0") and header[68:] == APPLICATION_ID.to_bytes(4, "big"))


def remove_database(path: Path) -> None:
    """Delete a database file, if it is there, and what SQLite keeps beside it."""
    for suffix in (*LOGS, ""):  # a log must never meet another file
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def schema_version(driver: sqlite3.Connection, path: Path, newest: int) -> int:
    """Return the schema version of the file, 0 when it is empty.

    Raises StoreError when it isn't ours or newer than `newest`, DamageError when only its header says that it isn't.
    """
    [application] = driver.execute("PRAGMA application_id").fetchone()
    version: int = driver.execute("PRAGMA user_version").fetchone()[0]
    names = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")}
    if not names and application == 0 and version == 0:
        return 0
    if application != APPLICATION_ID or version < 1:
        if names >= TABLES:
            raise DamageError(
                f"{printable(path)} is damaged: its header says that it is no Resonance database; "
                "run `beet resonance check --repair`."
            )
        raise StoreError(
            f"{printable(path)} is a database of another program; nothing was changed. "
            "Give Resonance a file name of its own."
        )
    if version > newest:
        raise StoreError(
            f"{printable(path)} was written by a newer Resonance (schema {version}, this one knows up to "
            f"{newest}); nothing was changed. Update Resonance, or move the file away to start afresh."
        )
    return version


def read_generation(driver: Snapshot) -> int:
    """Return the generation of the vector rows, 0 before the first; raises `errors.UNREADABLE`."""
    row = driver.execute("SELECT value FROM state WHERE key = ?", (GENERATION,)).fetchone()
    if row is None:
        return 0
    if not isinstance(row[0], str) or not row[0].isdecimal():
        raise UnreadableError("the generation is no number")
    return int(row[0])


def read_json(text: Any, kind: type = object) -> Any:
    """Return the JSON value of a column; raises UnreadableError or JSONDecodeError unless it is one of `kind`."""
    if not isinstance(text, str):
        raise UnreadableError("what should be JSON is no text")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise UnreadableError("what should be JSON is too deep") from error
    if not isinstance(value, kind):
        raise UnreadableError("what should be JSON is of another kind")
    return value


def select_in(driver: Snapshot, statement: str, values: Iterable[Any], parameters: Sequence[Any] = ()) -> list[Any]:
    """Return the rows of a query that ends in IN, for any number of values; the parameters come before those."""
    rows: list[Any] = []
    rest = iter(values)
    while chunk := tuple(islice(rest, CHUNK)):
        rows += driver.execute(f"{statement} ({', '.join('?' * len(chunk))})", (*parameters, *chunk))
    return rows
