"""SQLite's errors as sentences that name the file and what to do."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sqlite3
from pathlib import Path

from resonance_engine.errors import StoreError, printable

WAITED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
READ_ONLY = ("42501", "25006")  # states of SQL: insufficient_privilege, read_only_sql_transaction
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
UNWRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
# With less room than this on a disk, it is the reason of what else goes wrong there.
NO_ROOM = 2**16
LOGS = ("-wal", "-journal")  # at the end of the name of a file's log; the second where the first can't be used
MALFORMED = "malformed JSON"  # SQLite has no code for it


class DamageError(StoreError):
    """The file is damaged beyond its indexes."""


class UnreadableError(ValueError):
    """A value in the file is of a type that is never written there."""


# Raised for values in a damaged file, by Python also for SQLite's own messages where they quote such values.
UNREADABLE = (UnicodeDecodeError, json.JSONDecodeError, UnreadableError)


def store_error(path: Path, error: Exception) -> StoreError:
    """Return the StoreError, a sentence, for an error of SQLite or an unreadable value."""
    return (StoreError if isinstance(error, sqlite3.Error) else DamageError)(error_message(path, error))


def error_message(path: Path, error: BaseException | None) -> str:
    """Return what an error of SQLite means for the user, and what to do."""
    name = printable(path)
    code = error_code(error)
    if code in DAMAGED or is_unreadable(error):
        reason = "what it says makes no sense" if is_unreadable(error) else str(error)
        return (
            f"{name} is damaged or not a Resonance database ({reason}); `beet resonance check --repair` "
            "keeps it under another name and saves what can be read of it, or restore it from a backup."
        )
    if code in UNWRITABLE:
        return describe_unreadable(path) or (
            f"{name} can't be opened for writing ({error}); make sure that its folder exists and that you "
            "may write to the folder and the file."
        )
    if code in WAITED:
        return f"{name} is being written by another program; try again when that is done."
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and is_disk_full(path)):
        return f"No room is left on the disk of {name}; free some space and try again."
    if code == sqlite3.SQLITE_IOERR:
        return f"{name} can't be read or written ({error}); see whether its disk is full, gone or failing."
    return f"{name} can't be used ({error})."


def describe_unreadable(path: Path) -> str:
    """Return which of a database's files may not be read, whose it is and what to do; empty where all may."""
    for file in (path, *name_logs(path)):
        try:
            with file.open("rb"):
                pass
        except PermissionError:
            owner = find_owner(file)
            whose = f"it belongs to {owner}, and you are {user_name(os.geteuid())}" if owner else "its folder is closed"
            return (
                f"{printable(file)} may not be read: {whose}; have it made readable for you, or do this as its owner."
            )
        except OSError:
            continue
    return ""


def find_logs(path: Path) -> list[Path]:
    """Return the logs beside a database that hold anything: without them, it would be read in another state, or torn.

    Raises OSError where it can't be seen.
    """
    return [file for file in name_logs(path) if file.exists() and file.stat().st_size]


def name_logs(path: Path) -> list[Path]:
    return [Path(f"{path.resolve()}{ending}") for ending in LOGS]


def find_owner(path: Path) -> str:
    """Return the name of the user to whom a file belongs, empty where that can't be seen."""
    try:
        return user_name(path.stat().st_uid)
    except OSError:
        return ""


def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def error_code(error: BaseException | None) -> int:
    """Return SQLite's primary code of an error, 0 for an error of another kind."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: StoreError) -> bool:
    """Whether another program kept the file locked for longer than the store waits."""
    return error_code(error.__cause__) in WAITED


def is_unwritable(error: StoreError) -> bool:
    """Whether the database can't be written: the file, what SQLite keeps beside it, or by this user of a server."""
    return error_code(error.__cause__) in UNWRITABLE or getattr(error.__cause__, "sqlstate", None) in READ_ONLY


def is_damage(error: StoreError) -> bool:
    """Whether the content of the file is damaged, so that `salvage` helps."""
    return isinstance(error, DamageError) or error_code(error.__cause__) in DAMAGED


def is_disk_full(path: Path) -> bool:
    """Whether no room is left on the disk of a file, which a symbolic link may lead to."""
    try:
        return shutil.disk_usage(path).free < NO_ROOM
    except OSError:
        return False


def is_unreadable(error: BaseException | None) -> bool:
    """Whether a value in the file could not be parsed; its bytes don't belong into a message then."""
    return isinstance(error, UNREADABLE) or MALFORMED in str(error)
