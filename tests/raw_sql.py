"""Damage done to a sidecar below what the store lets through."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from resonance_engine.store.postgresql.address import Address


def change_rows(place: Path | str, statement: str, *parameters: object, **named: object) -> None:
    """Run one statement in SQLite's words on a file with sqlite3, or on a database with psycopg alone, and commit."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection, connection:
            connection.execute(statement, named or parameters)
        return
    run_sql(place, translate(statement), named or parameters)


def run_sql(address: str, statement: str, parameters: Any = ()) -> list[Any]:
    """Run a statement in PostgreSQL's words, in our schema, and commit; return the rows of a query."""
    import psycopg

    with psycopg.connect(Address.parse(address).location, autocommit=True) as connection:
        connection.execute("SET search_path TO resonance, public")
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def translate(statement: str) -> str:
    statement = re.sub(r"x'(\w*)'", r"'\\x\1'::bytea", statement)
    statement = re.sub(r"\b(window|array)\b", r'"\1"', statement)
    return re.sub(r"(?<!:):(\w+)(?= |$)", r"%(\1)s", statement).replace("?", "%s")
