"""Whose database a file is, and of which version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

APPLICATION_ID = int.from_bytes(b"RSNC", "big")
VERSION = 2
"""The schema of a new file; `migrations.MIGRATIONS` leads to it."""


def schema_version(driver: sqlite3.Connection, path: Path, newest: int) -> int:
    """The schema of the file, 0 when it is empty; StoreError when it isn't ours or newer than `newest`."""
    [application] = driver.execute("PRAGMA application_id").fetchone()
    version: int = driver.execute("PRAGMA user_version").fetchone()[0]
    [tables] = driver.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables == 0 and application == 0 and version == 0:
        return 0
    if application != APPLICATION_ID or version < 1:
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
