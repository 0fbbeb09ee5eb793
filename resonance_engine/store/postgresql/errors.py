"""PostgreSQL's errors as sentences that name the database and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from resonance_engine.errors import StoreError
from resonance_engine.store.errors import UNREADABLE, DamageError
from resonance_engine.store.postgresql.address import hide_passwords

if TYPE_CHECKING:
    from resonance_engine.store.postgresql.address import Address

KEPT = "what was stored stays"
RESTORE = "restore a backup of it into an empty database, after `CREATE EXTENSION vector` there"
# libpq has no codes for these.
ATTEMPT = re.compile(r"connection to server .*? failed: [^\n]*")
MISSING_DATABASE = re.compile(r'database ".*" does not exist')
FIRST_VERSION = 3  # of the schemas that a server can have
# Of the connection: it was closed by the server, or broke.
LOST = (errors.AdminShutdown, errors.CrashShutdown, errors.IdleInTransactionSessionTimeout)
REFUSED = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)
FULL = (errors.DiskFull, errors.OutOfMemory, errors.ConfigurationLimitExceeded)


class OlderSchemaError(StoreError):
    """The tables are of an older schema, and can be brought up to date."""


def verify_version(name: str, version: int, newest: int) -> None:
    """Raise StoreError unless the tables, of schema `version`, are of the `newest`; OlderSchemaError for older ones."""
    if version > newest:
        raise StoreError(
            f"{name} was written by a newer Resonance (schema {version}, this one knows up to {newest}); "
            "nothing was changed. Update Resonance here, too."
        )
    if version < FIRST_VERSION:
        raise StoreError(
            f"{name} is damaged: its row in resonance.sidecar is gone, or names a schema that no server has had "
            f"({version}); {RESTORE}."
        )
    if version < newest:
        raise OlderSchemaError(
            f"{name} was written by an earlier Resonance (schema {version}, this one reads {newest}); "
            "the next command brings it up to date."
        )


def server_error(address: Address, error: Exception) -> StoreError:
    """Return the StoreError, a sentence, for an error of psycopg or an unreadable value."""
    name, reason = address.name, describe(error)
    if isinstance(error, (*UNREADABLE, errors.DataError)) and not isinstance(error, errors.UntranslatableCharacter):
        return DamageError(
            f"{name} holds what makes no sense ({type(error).__name__}); `beet resonance check --repair` drops it."
        )
    if isinstance(error, errors.LockNotAvailable):
        return StoreError(f"{name} is being written by another program; try again when that is done.")
    if isinstance(error, REFUSED):
        return StoreError(
            f"{name} does not let you do that ({reason}); have the right granted, or use another account."
        )
    if isinstance(error, FULL):
        return StoreError(f"No room is left on the server of {name} ({reason}); free some and try again.")
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn)):
        return StoreError(f"{name} lacks a table of Resonance ({reason}); {RESTORE}.")
    if isinstance(error, (*LOST, psycopg.OperationalError, psycopg.InterfaceError)):
        return StoreError(f"The connection to {name} was lost ({reason}); {KEPT}. Try again when the server is there.")
    return StoreError(f"{name} can't be used ({reason}).")


def connection_error(address: Address, error: psycopg.Error) -> StoreError:
    """Return the StoreError for a connection that isn't made; libpq gives no codes for the reasons, only texts."""
    if error.sqlstate is not None:  # of a connection that was made
        return server_error(address, error)
    name, reason = address.name, describe(error)
    if isinstance(error, psycopg.ProgrammingError):  # about the address, of which it may quote the password
        return StoreError("The address of the shared sidecar has a part that PostgreSQL does not know.")
    if "password" in reason or "authentication" in reason or "pg_hba" in reason:
        return StoreError(
            f"The server of {name} refuses the user or the password ({reason}); give the right one in the address, "
            "in ~/.pgpass or in PGPASSWORD."
        )
    if MISSING_DATABASE.search(reason):
        return StoreError(f"The server of {name} has no such database ({reason}); make it there with `createdb`.")
    if "FATAL" in reason:
        return StoreError(f"The server of {name} refuses the connection ({reason}).")
    return StoreError(
        f"No PostgreSQL server answers for {name} ({reason}); see whether it runs and can be reached. "
        f"Nothing is lost: {KEPT}."
    )


def describe(error: Exception) -> str:
    """Return an error's message in one line without a full stop or passwords."""
    message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    # A host with several addresses fails at each; libpq adds a line with a question.
    attempts = "; ".join(dict.fromkeys(ATTEMPT.findall(str(error))))
    return hide_passwords(message or attempts or str(error)).rstrip(".")
