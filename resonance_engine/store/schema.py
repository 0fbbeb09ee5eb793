"""Whose database a file is, and of which schema version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.errors import DamageError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

APPLICATION_ID = int.from_bytes(b"RSNC", "big")
VERSION = 2
"""The schema of a new file; `migrations.MIGRATIONS` leads to it."""
TABLES = {"library", "model", "track", "vector", "window", "analysis", "failure", "state"}
"""Those of every version, by which a file is ours whatever its header says."""


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
