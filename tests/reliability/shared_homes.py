"""Homes whose sidecar is in a PostgreSQL database: what a trial clones, and what is looked at afterwards."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from resonance_engine.store import Store
from resonance_engine.store.copying import copy_store
from resonance_engine.store.opening import open_store
from resonance_engine.store.sqlite_file import remove_database
from tests.postgresql_server import PostgresServer
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.home import Home
    from tests.reliability.scenarios import Scenario

# About the file itself, of which there is none.
OF_A_FILE = ("migration from version 1",)
_turn = threading.Lock()  # a server copies a database for one at a time


def server_if(wanted: bool) -> AbstractContextManager[PostgresServer | None]:
    """A server for the time of a `with`, where one is wanted."""
    return PostgresServer.running() if wanted else nullcontext()


def share(story: Scenario, server: PostgresServer) -> Scenario:
    """The story over a home whose sidecar was copied to a database by the command for that."""
    address = server.create_database()
    story.home.beet("resonance", "sidecar", "copy", address)
    return replace(story, home=replace(story.home, address=address))


def clone_database(address: str) -> str:
    """Copy a database that nobody uses, and return the address of the copy."""
    beginning, _, place = address.rpartition("?")
    server, _, name = beginning.rpartition("/")
    with _turn:
        copy = f"{name}_{next(PostgresServer.counter)}"
        run_sql(f"{server}/postgres?{place}", f"CREATE DATABASE {copy} TEMPLATE {name}")
    return f"{server}/{copy}?{place}"


def drop_database(address: str) -> None:
    beginning, _, place = address.rpartition("?")
    server, _, name = beginning.rpartition("/")
    run_sql(f"{server}/postgres?{place}", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def export(address: str, target: Path) -> None:
    """Write the state of a shared sidecar into a new file."""
    remove_database(target)
    with open_store(address) as source, Store(target) as copy:
        if source.database.exists:
            copy_store(source, copy)


@contextmanager
def writing(address: str) -> Iterator[None]:
    """A transaction on a shared sidecar, with rows in it, that stays open for the time of a `with`."""
    import psycopg

    from resonance_engine.store.postgresql.address import Address

    with psycopg.connect(Address.parse(address).location) as connection:
        connection.execute("SET search_path TO resonance")
        connection.execute("UPDATE sidecar SET revision = revision + 1")
        connection.execute("INSERT INTO state (key, value) VALUES ('half', '1')")
        yield
        connection.rollback()


def remove(home: Home) -> None:
    """Delete a home, and its database if it has one."""
    shutil.rmtree(home.path)
    if home.address:
        drop_database(home.address)
