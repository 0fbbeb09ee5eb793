"""Connections of psycopg, and the statements of the tables in PostgreSQL's words."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from resonance_engine.errors import StoreError
from resonance_engine.store.postgresql.errors import RESTORE
from resonance_engine.store.sqlite_statements import FILE_CHECK, INVALID_ANALYSES, QUIET, REFERENCE_CHECK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.store.postgresql.address import Address

SCHEMA = "resonance"
"""The schema of the database that holds our tables, so that those of other programs may be beside it."""
LOWEST_SERVER = 160_000  # the first that can tell whether a text is JSON
# Seconds after which a server that is silent counts as gone; parameters of libpq, which an address may give otherwise.
PATIENCE: dict[str, str | int] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "application_name": "resonance",
}
# pgvector's types are in a schema that the database's owner chose.
ENTER = f"""
SELECT set_config('search_path', '{SCHEMA}, ' || coalesce((SELECT quote_ident(nspname) FROM pg_extension
    JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'), 'public'), false),
    to_regclass('{SCHEMA}.sidecar') IS NOT NULL, EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')
"""  # noqa: S608 - constants
# One row, which all writers update first: they take turns by its lock, and readers see by it that something changed.
TAKE_TURN = b"UPDATE sidecar SET revision = revision + 1 RETURNING version"
NUMBERS = itertools.count()  # in the names of cursors
# Statements that are otherwise in PostgreSQL; what the first two look for, a server keeps right by itself.
REPLACED = {
    FILE_CHECK: "SELECT 'ok'",
    REFERENCE_CHECK: "SELECT '', 0, '', 0 WHERE false",
    # Conditions that AND joins are evaluated in any order, those of CASE are not.
    QUIET: (
        "SELECT content_key, (attributes::jsonb ->> 'energy')::float8 FROM analysis "
        "WHERE CASE WHEN attributes IS NOT JSON OBJECT THEN false "
        "WHEN jsonb_typeof(attributes::jsonb -> 'energy') = 'number' "
        "THEN (attributes::jsonb ->> 'energy')::float8 < ? ELSE false END"
    ),
    INVALID_ANALYSES: (
        "SELECT content_key, attributes IS NOT JSON OBJECT FROM analysis WHERE attributes IS NOT JSON OBJECT "
        "OR (content_key NOT IN (SELECT content_key FROM vector) "
        "AND content_key NOT IN (SELECT content_key FROM track))"
    ),
}
# Words of SQLite's alone. A cross join has no condition elsewhere: it is how SQLite is told an order.
WORDS = (
    (re.compile(r"CROSS JOIN"), "JOIN"),
    (re.compile(r"x''"), r"''::bytea"),
    (re.compile(r"json_extract\((\w+), \?\)"), r"jsonb_path_query_first(\1::jsonb, %s::jsonpath)"),
    (re.compile(r"\?"), "%s"),
)


class ServerSnapshot(NamedTuple):
    """A connection that takes the statements of the tables; see `database.Snapshot`."""

    driver: psycopg.Connection[Any]

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> psycopg.Cursor[Any]:
        return self.driver.execute(translate(statement), parameters, binary=True)

    def stream(self, statement: str, parameters: Sequence[Any]) -> psycopg.ServerCursor[Any]:
        """Return the rows of a query, which come from the server as they are fetched."""
        cursor = self.driver.cursor(f"rows_{next(NUMBERS)}")
        try:
            return cursor.execute(translate(statement), parameters, binary=True)
        except BaseException:
            cursor.close()
            raise


@lru_cache(maxsize=128)
def translate(statement: str) -> bytes:
    """Return a statement in PostgreSQL's words, with psycopg's marks for parameters."""
    text = REPLACED.get(statement, statement).replace("%", "%%")
    for pattern, word in WORDS:
        text = pattern.sub(word, text)
    return text.encode()


def connect(address: Address, patience: float) -> tuple[psycopg.Connection[Any], bool]:
    """Return a connection in autocommit mode, and whether the database holds a sidecar; raises psycopg.Error.

    It waits `patience` seconds for another writer. Raises StoreError for a server that is too old, and for a sidecar
    without pgvector.
    """
    parameters = {**PATIENCE, **conninfo_to_dict(address.location)}
    driver = psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]  # its parameters are of all types
    try:
        if driver.info.server_version < LOWEST_SERVER:
            version = driver.info.server_version // 10_000
            raise StoreError(f"{address.name} is in a PostgreSQL {version}, and Resonance needs 16 or later.")
        driver.execute(f"SET lock_timeout = {round(1000 * patience)}".encode())
        row = driver.execute(ENTER).fetchone()
        assert row is not None, "a query without a table has a row"
        _, exists, has_pgvector = row
        if exists and not has_pgvector:
            raise StoreError(f"{address.name} has tables of Resonance, but no pgvector, which they need; {RESTORE}.")
    except BaseException:
        driver.close()
        raise
    return driver, bool(exists)


def take_turn(driver: psycopg.Connection[Any]) -> int:
    """Wait for the other writers, and raise the revision; return the version of the schema, 0 where no row has it."""
    row = driver.execute(TAKE_TURN).fetchone()
    return int(row[0]) if row else 0
