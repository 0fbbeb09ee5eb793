"""SQLAlchemy's connections to an SQLite file, for what writes."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

from resonance_engine.store.sqlite_file import PATIENCE, connect_to_write

if TYPE_CHECKING:
    from pathlib import Path


def sqlite_engine(path: Path, patience: float = PATIENCE) -> Engine:
    """Return connections to the file, kept open between transactions: closing the last writes back the log.

    Each waits `patience` seconds for another writer.
    """
    engine = create_engine(
        "sqlite://",
        # Not in the URL, where some characters of a path have a meaning. SQLAlchemy gives a connection to one
        # thread at a time, and transactions are begun below.
        creator=lambda: connect_to_write(path, patience),
        poolclass=QueuePool,
        max_overflow=-1,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and asks for the write lock later fails at once when another one
        # wrote in between, whatever the time-out: ask at the start.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def use_write_ahead_log(engine: Engine, patience: float = PATIENCE) -> None:
    """Switch the file to write-ahead logging; file systems without shared memory keep their journal."""
    deadline = time.monotonic() + patience
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite doesn't wait here by itself when another process is making the same file.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    finally:
        connection.close()
