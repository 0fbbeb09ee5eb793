"""What the errors of SQLite mean to a person, and what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from resonance_engine.errors import printable

if TYPE_CHECKING:
    from pathlib import Path


def sentence(path: Path, error: BaseException | None) -> str:
    """What an SQLite error means for the user, and what to do."""
    name = printable(path)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return (
            f"{name} is damaged or not a Resonance database ({error}). Restore it from a backup, or move it "
            "away: a new one is made by analysing the library again."
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return (
            f"{name} can't be opened for writing ({error}). Make sure that its folder exists and that you "
            "may write to the folder and the file."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{name} is being written by another program; try again when that is done."
    if code == sqlite3.SQLITE_FULL:
        return f"No room is left to write {name}; free some space and run the command again."
    return f"{name} can't be used ({error})."
