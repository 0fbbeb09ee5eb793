"""Write transactions on a PostgreSQL database, through SQLAlchemy, and the schema that they write to.

Beside the bytes of each embedding, which are the truth and the same as in SQLite, stands the same vector as pgvector's
`halfvec`, by which the server itself can search.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import psycopg
import sqlalchemy as sa
from pgvector import HalfVector
from pgvector.sqlalchemy import HALFVEC
from psycopg import sql
from sqlalchemy.dialects import postgresql

from resonance_engine.errors import StoreError
from resonance_engine.store.postgresql.connection import SCHEMA, ServerSnapshot, take_turn
from resonance_engine.store.postgresql.errors import REFUSED, OlderSchemaError, verify_version
from resonance_engine.store.postgresql.prerequisites import enable_pgvector
from resonance_engine.store.records import EMBEDDING, FLOAT16
from resonance_engine.store.tables import METADATA
from resonance_engine.store.writer import Writer, WriteTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from resonance_engine.store.migrations import Migration
    from resonance_engine.store.postgresql.address import Address

LOCK = 0x52534E43  # "RSNC": of those who make the schema at the same time
# A writer that was suspended in the midst of a transaction keeps the others waiting no longer than this.
PATIENCE = "60s"
EXISTING = (
    "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "  # noqa: S608 - constants
    f"WHERE nspname = '{SCHEMA}' AND relname = 'sidecar'"
)
SIDECAR = "CREATE TABLE sidecar (version integer NOT NULL, identity uuid NOT NULL, revision bigint NOT NULL)"


def server_tables() -> sa.MetaData:
    """Return the tables as PostgreSQL has them: texts in the order of their code points, and vectors to search."""
    metadata = sa.MetaData()
    for table in METADATA.sorted_tables:
        copy = table.to_metadata(metadata)
        for column in copy.columns:
            if isinstance(column.type, sa.String):
                column.type = sa.String(collation="C")
    metadata.tables["vector"].append_column(sa.Column("half", HALFVEC))
    return metadata


TABLES = server_tables()
COPY = "COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)"
# By which psycopg writes values as PostgreSQL has them; of vectors, `HalfVector` does.
TYPES = {bool: "bool", int: "int4", float: "float8", str: "text", bytes: "bytea", object: "bytea"}
LIMIT = 2**31  # of an int4


class ServerTransaction(WriteTransaction):
    """An open transaction that holds the writers' lock."""

    driver: ServerSnapshot

    def insert(self, table: str) -> postgresql.Insert:
        return postgresql.insert(TABLES.tables[table])

    def set_last_ids(self, ids: Mapping[str, int]) -> None:
        rows = self.driver.execute("SELECT max(id) FROM library").fetchall()
        for table, last in [("library", rows[0][0]), *ids.items()]:
            if last:
                self.driver.execute(f"SELECT setval('{table}_id_seq', ?)", (last,))

    def append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        columns = TABLES.tables[table].columns
        verify_range(columns, rows)
        if table == "vector":
            kind, data = (columns.keys().index(name) for name in ("kind", "data"))
            rows = [(*row, encode_searchable(row[kind], row[data])) for row in rows]
        names = sql.SQL(", ").join(map(sql.Identifier, columns.keys()))
        statement = sql.SQL(COPY).format(table=sql.Identifier(table), columns=names)
        try:
            with self.driver.driver.cursor() as cursor, cursor.copy(statement) as copy:
                copy.set_types([column_type(column) for column in columns])
                for row in rows:
                    copy.write_row(row)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise ValueError(error.diag.message_primary) from error

    def upsert(
        self, table: str, rows: Sequence[Mapping[str, Any]], key: Sequence[str] = (), compare: Sequence[str] = ()
    ) -> int:
        if table == "vector":
            rows = [{**row, "half": searchable(row["kind"], row["data"])} for row in rows]
        return super().upsert(table, rows, key, compare)


def searchable(kind: str, data: bytes) -> np.ndarray[Any, Any] | None:
    """Return the embedding in a row as pgvector takes it; facets are searched by the index of each machine alone."""
    return np.frombuffer(data, FLOAT16) if kind == EMBEDDING else None


def encode_searchable(kind: str, data: bytes) -> bytes | None:
    """Return `searchable` as the server has it in binary."""
    vector = searchable(kind, data)
    return None if vector is None else HalfVector(vector).to_binary()


def column_type(column: sa.Column[Any]) -> str:
    """Return the name of the type of a column's values on the wire."""
    return "int8" if isinstance(column.type, sa.BigInteger) else TYPES[column.type.python_type]


def verify_range(columns: Iterable[sa.Column[Any]], rows: Sequence[Sequence[Any]]) -> None:
    """Raise ValueError for a number that its column has no room for: psycopg would write its lowest bits alone."""
    for place, column in enumerate(columns):
        if column_type(column) == "int4" and any(not -LIMIT <= row[place] < LIMIT for row in rows):
            raise ValueError(f"a number in {column.name} is too large")


class ServerWriter(Writer):
    """The connections that write to a database."""

    def __init__(
        self,
        address: Address,
        connect: Callable[[], tuple[psycopg.Connection[Any], bool]],
        migrations: Sequence[Migration],
    ) -> None:
        self._name, self._newest = address.name, 1 + len(migrations)
        driver, exists = connect()
        with driver:
            if not exists:
                enable_pgvector(address.name, driver)
            version = read_version(driver) if exists else 0
        self._engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=lambda: begin_by_itself(connect()[0]),
            poolclass=sa.QueuePool,
            max_overflow=-1,
            pool_pre_ping=True,
            use_native_hstore=False,
            execution_options={"preserve_rowcount": True},
        )
        try:
            if not exists:
                with self._begin() as connection:
                    create_tables(connection, self._newest)
            elif version < self._newest:
                self._migrate(version, migrations)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[WriteTransaction]:
        with self._begin() as connection:
            driver = driver_of(connection)
            verify_version(self._name, take_turn(driver), self._newest)
            yield ServerTransaction(connection, ServerSnapshot(driver))

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with super()._begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENCE}'")
            yield connection

    def _migrate(self, version: int, migrations: Sequence[Migration]) -> None:
        """Bring the tables up to date in one transaction, unless another process has been faster."""
        try:
            with self._begin() as connection:
                version = take_turn(driver_of(connection))
                with suppress(OlderSchemaError):
                    verify_version(self._name, version, self._newest)
                for step in migrations[version - 1 :]:
                    step(connection)
                connection.exec_driver_sql(f"UPDATE sidecar SET version = {self._newest}")  # noqa: S608 - a number
        except REFUSED as error:
            raise StoreError(
                f"{self._name} was written by an earlier Resonance (schema {version}, this one reads {self._newest}), "
                "and you may not change its tables. A command such as `beet resonance status` by their owner brings "
                "it up to date."
            ) from error


def begin_by_itself(driver: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Return the connection, which begins a transaction with the first statement, as SQLAlchemy relies on."""
    driver.autocommit = False
    return driver


def driver_of(connection: sa.Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection), "it was made by psycopg.connect"
    return driver


def read_version(driver: psycopg.Connection[Any]) -> int:
    """Return the version of the schema, 0 where no row has it."""
    row = driver.execute("SELECT version FROM sidecar").fetchone()
    return int(row[0]) if row else 0


def create_tables(connection: sa.Connection, version: int) -> None:
    """Make the tables, unless another process has been faster."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    # Not by to_regclass: a session remembers the names that there were none of.
    if connection.exec_driver_sql(EXISTING).scalar() is not None:
        return
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    TABLES.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(SIDECAR)
    values = f"({version}, '{uuid4()}', 0)"
    connection.exec_driver_sql(f"INSERT INTO sidecar (version, identity, revision) VALUES {values}")  # noqa: S608 - ours
