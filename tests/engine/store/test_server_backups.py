"""Dumps of a shared sidecar by pg_dump: restored after pgvector was enabled, everything is there."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding
from resonance_engine.store.opening import open_store
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from tests.postgresql_server import PostgresServer

RESTORE = r"restore a backup of it into an empty database, after `CREATE EXTENSION vector` there\.$"


@pytest.fixture(scope="module")
def address(postgres: PostgresServer) -> str:
    """A database with a few recordings in it."""
    address = postgres.create_database()
    with open_store(address) as store, store.write():
        store.models.register(MODEL)
        for number, vector in enumerate(unit_vectors(3)):
            store.vectors.put(key(number), MODEL.id, Embedding(vector))
            store.tracks.link(store.libraries.get_or_create("home"), track(number, number))
    return address


def run(postgres: PostgresServer, program: str, address: str, *options: str, text: str = "") -> str:
    name = address.rpartition("?")[0].rpartition("/")[2]
    command = [postgres.program(program), *options, "-h", str(postgres.folder), "-U", "postgres", name]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("options", [("--schema", "resonance"), ()], ids=["schema", "database"])
def test_a_restored_one_is_equal(postgres: PostgresServer, address: str, options: tuple[str, ...]) -> None:
    restored = postgres.create_database()
    if options:
        run_sql(restored, "CREATE EXTENSION vector")
    run(postgres, "psql", restored, "-v", "ON_ERROR_STOP=1", text=run(postgres, "pg_dump", address, *options))
    with open_store(address) as store, open_store(restored) as copy:
        assert copy.tracks.all(1) == store.tracks.all(1)
        assert copy.vectors.matrix(MODEL.id)[1].tolist() == store.vectors.matrix(MODEL.id)[1].tolist()
        copy.vectors.put(key(9), MODEL.id, Embedding(unit_vectors(1)[0]))
        assert copy.vectors.count(MODEL.id) == 4


@pytest.mark.parametrize("stop", ["0", "1"], ids=["all of it", "up to the error"])
def test_one_that_was_restored_without_pgvector_is_an_error_that_says_what_to_do(
    postgres: PostgresServer, address: str, stop: str
) -> None:
    dump = run(postgres, "pg_dump", address, "--schema", "resonance")
    restored = postgres.create_database()
    run(postgres, "psql", restored, "-v", f"ON_ERROR_STOP={stop}", text=dump)
    acts = (
        lambda: store.models.all(),
        lambda: store.state.set("mood", 1),
        lambda: store.libraries.get_or_create("new"),
        lambda: store.database.exists,
    )
    for act in acts:
        with open_store(restored) as store, pytest.raises(StoreError, match=f"but no pgvector, .*; {RESTORE}"):
            act()
    run_sql(restored, "CREATE EXTENSION vector")
    with open_store(restored) as store, pytest.raises(StoreError, match=RESTORE):
        store.vectors.count(MODEL.id)
