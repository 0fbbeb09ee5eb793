"""What the errors of SQLite mean to a person, and what to do."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from resonance_engine.errors import printable

if TYPE_CHECKING:
    from pathlib import Path


# What Python says of text in a damaged file, also of SQLite's own words when they quote from it.
UNREADABLE = (UnicodeDecodeError, json.JSONDecodeError)


def sentence(path: Path, error: BaseException | None) -> str:
    """What an SQLite error means for the user, and what to do."""
    name = printable(path)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or isinstance(error, UNREADABLE):
        return (
            f"{name} is damaged or not a Resonance database ({quoted(error)}). Restore it from a backup, or move it "
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
    if code == sqlite3.SQLITE_IOERR:
        return f"{name} can't be read or written ({error}); see whether its disk is full, gone or failing."
    return f"{name} can't be used ({error})."


def quoted(error: BaseException | None) -> str:
    """What is wrong, without the bytes that made no sense."""
    return "what it says is no text" if isinstance(error, UNREADABLE) else str(error)
