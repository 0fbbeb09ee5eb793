"""Bring a sidecar file to the schema of this version, or refuse it without touching it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.models import Base

if TYPE_CHECKING:
    from pathlib import Path

Migration = Callable[[Connection], None]

APPLICATION_ID = int.from_bytes(b"RSNC", "big")

MIGRATIONS: tuple[Migration, ...] = ()
"""`MIGRATIONS[n - 1]` changes schema n into schema n + 1; a new file starts at the last."""


def migrate(connection: Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables, or bring older ones up to date, within the open transaction.

    An older file is first copied to `<name>.v<schema>.bak`. Raises StoreError for a file of a newer version
    or of another program.
    """
    newest = 1 + len(migrations)
    version = schema_version(connection, path, newest)
    if version == newest:
        return
    if version == 0:
        Base.metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    else:
        copy_database(path, path.with_name(f"{path.name}.v{version}.bak"))
        for step in migrations[version - 1 :]:
            step(connection)
    connection.exec_driver_sql(f"PRAGMA user_version = {newest}")


def schema_version(connection: Connection, path: Path, newest: int) -> int:
    """The schema of the file, 0 when it is empty; StoreError when it isn't ours or newer than `newest`."""
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
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


def copy_database(path: Path, target: Path) -> None:
    """Copy a database as it stands, committed changes that are not yet in its main file included."""
    partial = target.with_name(f"{target.name}.part")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
    partial.replace(target)
