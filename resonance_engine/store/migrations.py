"""The steps that bring an older sidecar to the schema of this version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    Migration: TypeAlias = Callable[[Connection], None]


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


def add_passages(connection: Connection) -> None:
    """Version 3: the dense windows of recordings, and named arrays of libraries."""
    connection.exec_driver_sql(
        "CREATE TABLE passage ("
        "content_key BLOB NOT NULL, model_id VARCHAR NOT NULL, data BLOB NOT NULL, "
        "hop DOUBLE NOT NULL, length DOUBLE NOT NULL, "
        "PRIMARY KEY (content_key, model_id), "
        "FOREIGN KEY(model_id) REFERENCES model (id) ON DELETE CASCADE)"
    )
    connection.exec_driver_sql(
        "CREATE TABLE array ("
        "library_id INTEGER NOT NULL, name VARCHAR NOT NULL, data BLOB NOT NULL, "
        "PRIMARY KEY (library_id, name), "
        "FOREIGN KEY(library_id) REFERENCES library (id) ON DELETE CASCADE)"
    )


MIGRATIONS: tuple[Migration, ...] = (add_tags, add_passages)
"""`MIGRATIONS[n - 1]` changes schema n into schema n + 1; a new file starts at the last.

Those from schema 3 on are for PostgreSQL, too: in words that both databases take, or by `connection.dialect.name`.
"""


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
