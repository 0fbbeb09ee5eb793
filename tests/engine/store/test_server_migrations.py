"""Databases of other schemas: an older one is brought up to date in one transaction, a newer one left as it is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.errors import is_unwritable
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.opening import open_store
from resonance_engine.store.postgresql.address import Address
from resonance_engine.store.postgresql.database import ServerDatabase
from resonance_engine.store.postgresql.errors import FIRST_VERSION
from resonance_engine.store.sqlite_file import VERSION
from tests.embeddings import MODEL, key, unit_vectors
from tests.raw_sql import run_sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from resonance_engine.store.migrations import Migration
    from tests.postgresql_server import PostgresServer

ACTS: tuple[Callable[[Store], object], ...] = (
    lambda store: store.models.all(),
    lambda store: store.state.set("mood", 1),
    lambda store: store.libraries.get_or_create("new"),
)
COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'resonance' AND column_name = 'mood'
"""


def add_mood(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE analysis ADD COLUMN mood VARCHAR")


def fail(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TABLE vector")
    raise KeyboardInterrupt


def open_newer(address: str, *steps: Migration) -> Store:
    """The store as a later program opens it, whose schema takes these steps more."""
    return Store(ServerDatabase(Address.parse(address), migrations=(*MIGRATIONS, *steps)))


def version_of(address: str) -> int:
    [(version,)] = run_sql(address, "SELECT version FROM sidecar")
    return int(version)


@pytest.fixture
def address(postgres: PostgresServer) -> str:
    """A database of the present schema with one recording in it."""
    address = postgres.create_database()
    with open_store(address) as store:
        store.models.register(MODEL)
        store.vectors.put(key(1), MODEL.id, Embedding(unit_vectors(1)[0]))
    return address


@pytest.mark.parametrize("act", ACTS, ids=["read", "write state", "write"])
def test_an_older_one_is_brought_up_to_date_by_whatever_comes_first(
    address: str, act: Callable[[Store], object]
) -> None:
    with open_store(address) as store:
        identity, revision = store.database.identity, store.database.revision
    with open_newer(address, add_mood) as store:
        act(store)
        assert store.vectors.embedded([key(1)], MODEL.id) == {key(1)}
        assert store.database.identity == identity
        assert store.database.revision > revision
        store.analyses.put(key(1), "1", {})
    assert version_of(address) == VERSION + 1
    assert run_sql(address, COLUMNS) == [("analysis", "mood")]


def test_concurrent_migrations_run_once(address: str) -> None:
    steps: list[int] = []
    later = [lambda _, step=step: steps.append(step) for step in range(3)]
    with open_newer(address, *later[:1]) as store:
        store.models.all()
    stores = [open_newer(address, *later) for _ in range(4)]
    threads = [threading.Thread(target=store.models.all) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert (steps, version_of(address)) == ([0, 1, 2], VERSION + 3)


def test_an_interrupted_migration_leaves_the_database_as_it_was(address: str) -> None:
    with open_newer(address, add_mood, fail) as store, pytest.raises(KeyboardInterrupt):
        store.models.all()
    assert (version_of(address), run_sql(address, COLUMNS)) == (VERSION, [])
    with open_store(address) as store:
        assert store.vectors.embedded([key(1)], MODEL.id) == {key(1)}


@pytest.mark.parametrize("act", ACTS, ids=["read", "write state", "write"])
def test_the_error_of_a_role_that_cannot_migrate_names_the_owner(
    postgres: PostgresServer, address: str, act: Callable[[Store], object]
) -> None:
    rights = ("USAGE ON SCHEMA resonance", "SELECT, UPDATE, INSERT ON ALL TABLES IN SCHEMA resonance")
    message = f"earlier Resonance .schema {VERSION}, this one reads {VERSION + 1}.*a command such as .* by their owner"
    with (
        open_newer(postgres.grant(address, "guest", *rights), add_mood) as store,
        pytest.raises(StoreError, match=f"(?i){message}") as caught,
    ):
        act(store)
    assert is_unwritable(caught.value)
    assert version_of(address) == VERSION


@pytest.mark.parametrize("act", ACTS, ids=["read", "write state", "write"])
@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (VERSION + 1, rf"newer Resonance \(schema {VERSION + 1}, .*up to {VERSION}\).*Update Resonance here, too"),
        (FIRST_VERSION - 1, "is damaged.*restore a backup of it"),
        (None, "is damaged.*restore a backup of it"),
    ],
)
def test_another_one_is_left_as_it_is(
    address: str, version: int | None, reason: str, act: Callable[[Store], object]
) -> None:
    with open_store(address) as open_before:
        assert open_before.vectors.count(MODEL.id) == 1
        rows = run_sql(address, "SELECT * FROM sidecar")
        if version is None:
            run_sql(address, "DELETE FROM sidecar")
        else:
            run_sql(address, "UPDATE sidecar SET version = %s", (version,))
        for store in (open_before, open_store(address)):
            with pytest.raises(StoreError, match=reason):
                act(store)
            store.close()
    assert run_sql(address, "SELECT count(*) FROM state WHERE key = 'mood'") == [(0,)]
    run_sql(address, "DELETE FROM sidecar")
    run_sql(address, "INSERT INTO sidecar VALUES (%s, %s, %s)", rows[0])
    with open_store(address) as store:
        assert store.vectors.count(MODEL.id) == 1


def test_an_older_version_refuses_a_migrated_schema(address: str) -> None:
    with open_store(address) as earlier, open_newer(address, add_mood) as later:
        assert earlier.vectors.count(MODEL.id) == 1
        later.models.all()
        for act in ACTS:
            with pytest.raises(StoreError, match="Update Resonance here, too"):
                act(earlier)


def test_one_that_became_older_under_an_open_program_is_for_the_next_command(address: str) -> None:
    with open_newer(address, add_mood) as store:
        store.libraries.get_or_create("new")
        run_sql(address, "UPDATE sidecar SET version = %s", (VERSION,))  # as a backup that was restored
        run_sql(address, "ALTER TABLE analysis DROP COLUMN mood")
        for act in ACTS:
            with pytest.raises(StoreError, match="the next command brings it up to date"):
                act(store)
    with open_newer(address, add_mood) as store:
        store.libraries.get_or_create("new")
    assert (version_of(address), run_sql(address, COLUMNS)) == (VERSION + 1, [("analysis", "mood")])
