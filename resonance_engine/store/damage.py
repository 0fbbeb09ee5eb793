"""A sidecar file of which SQLite can't make sense any more."""

from __future__ import annotations

import sqlite3

from resonance_engine.errors import StoreError


class DamageError(StoreError):
    """The file is damaged beyond its indexes."""


def is_damage(error: StoreError) -> bool:
    """Whether a file could not be used because its content is damaged; `salvage` helps then."""
    cause = error.__cause__
    code = getattr(getattr(cause, "orig", cause), "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, DamageError) or code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
