"""Bring a sidecar file to the schema of this version, or refuse it without touching it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from resonance_engine.store.models import Base
from resonance_engine.store.schema import APPLICATION_ID, schema_version

if TYPE_CHECKING:
    from pathlib import Path

Migration = Callable[[Connection], None]


def add_tags(connection: Connection) -> None:
    """Version 2: the names of a model's tags, their probabilities in recordings, and indexes for whole libraries."""
    connection.exec_driver_sql("ALTER TABLE model ADD COLUMN tags VARCHAR DEFAULT '[]' NOT NULL")
    connection.exec_driver_sql(
        "CREATE TABLE tag ("
        "content_key BLOB NOT NULL, model_id VARCHAR NOT NULL, data BLOB NOT NULL, "
        "PRIMARY KEY (content_key, model_id), "
        "FOREIGN KEY(model_id) REFERENCES model (id) ON DELETE CASCADE)"
    )
    connection.exec_driver_sql("DROP INDEX ix_track_content_key")
    connection.exec_driver_sql("CREATE INDEX track_contents ON track (content_key, library_id, item_id)")
    connection.exec_driver_sql(
        "CREATE INDEX vector_embeddings ON vector (model_id, content_key) WHERE kind = 'embedding'"
    )


MIGRATIONS: tuple[Migration, ...] = (add_tags,)
"""`MIGRATIONS[n - 1]` changes schema n into schema n + 1; a new file starts at the last."""


def migrate(connection: Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables, or bring older ones up to date, within the open transaction.

    An older file is first copied to `<name>.v<schema>.bak`. Raises StoreError for a file of a newer version
    or of another program.
    """
    newest = 1 + len(migrations)
    version = schema_version(driver_of(connection), path, newest)
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


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection below one of SQLAlchemy's: what the one has written, the other reads."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection), "it was made by sqlite3.connect"
    return driver


def copy_database(path: Path, target: Path) -> None:
    """Copy a database as it stands, committed changes that are not yet in its main file included."""
    partial = target.with_name(f"{target.name}.part")
    partial.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
    except sqlite3.Error:
        partial.unlink(missing_ok=True)  # on a full disk, what there is of it would be in the way
        raise
    partial.replace(target)
