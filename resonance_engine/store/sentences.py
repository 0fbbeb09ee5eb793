"""What the errors of SQLite mean to a person, and what to do."""

from __future__ import annotations

import json
import shutil
import sqlite3
from typing import TYPE_CHECKING

from resonance_engine.errors import printable

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.errors import StoreError


class UnreadableError(ValueError):
    """A value in the file is of a kind that nobody writes there."""


# Another program did not come to an end in the time that we wait.
WAITED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
# With less room than this on a disk, it is the reason of what else goes wrong there.
NO_ROOM = 2**16

# What is said of values in a damaged file, by Python also of SQLite's own words when they quote from it.
UNREADABLE = (UnicodeDecodeError, json.JSONDecodeError, UnreadableError)
MALFORMED = "malformed JSON"  # SQLite has no code for it


def sentence(path: Path, error: BaseException | None) -> str:
    """What an SQLite error means for the user, and what to do."""
    name = printable(path)
    code = code_of(error)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or senseless(error):
        return (
            f"{name} is damaged or not a Resonance database ({quoted(error)}); `beet resonance check --repair` "
            "keeps it under another name and saves what can be read of it, or restore it from a backup."
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return (
            f"{name} can't be opened for writing ({error}); make sure that its folder exists and that you "
            "may write to the folder and the file."
        )
    if code in WAITED:
        return f"{name} is being written by another program; try again when that is done."
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and is_full(path)):
        return f"No room is left on the disk of {name}; free some space and try again."
    if code == sqlite3.SQLITE_IOERR:
        return f"{name} can't be read or written ({error}); see whether its disk is full, gone or failing."
    return f"{name} can't be used ({error})."


def code_of(error: BaseException | None) -> int:
    """SQLite's own number of an error, 0 for one of another kind."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: StoreError) -> bool:
    """Whether a file could not be used because another program kept it to itself for longer than we wait."""
    return code_of(getattr(error.__cause__, "orig", error.__cause__)) in WAITED


def is_full(path: Path) -> bool:
    """Whether no room is left on the disk of a file, which a symbolic link may lead to."""
    try:
        return shutil.disk_usage(path).free < NO_ROOM
    except OSError:
        return False


def quoted(error: BaseException | None) -> str:
    """What is wrong, without the bytes that made no sense."""
    return "what it says makes no sense" if senseless(error) else str(error)


def senseless(error: BaseException | None) -> bool:
    """Whether a value in the file can't be read."""
    return isinstance(error, UNREADABLE) or MALFORMED in str(error)
