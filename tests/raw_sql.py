"""Damage done to a sidecar below what the store lets through."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def change_rows(path: Path, statement: str, *parameters: object) -> None:
    """Run one statement on the file with SQLite alone, and commit."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, parameters)
