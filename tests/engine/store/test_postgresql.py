"""A sidecar in PostgreSQL: what goes wrong with a server is a sentence, and nothing that was stored is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.errors import is_damage, is_unwritable
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import ROOT
from tests.raw_sql import change_rows, run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgresql_server import PostgresServer

VECTORS = unit_vectors(8)
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'resonance' AND datname = %s"


@pytest.fixture
def address(postgres: PostgresServer) -> str:
    """A database with one recording in it."""
    address = postgres.create_database()
    with open_store(address) as store:
        store.models.register(MODEL)
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0]))
        store.tracks.link(store.libraries.get_or_create("home"), track(1, 1))
    return address


def database_of(address: str) -> str:
    return address.rpartition("?")[0].rpartition("/")[2]


def end_connections(address: str) -> None:
    """Let the server close our connections, as when it is restarted."""
    run_sql(address, END, (database_of(address),))


class TestServersThatAreNotThere:
    def test_one_that_does_not_answer(self) -> None:
        with open_store("postgresql+psycopg://user:secret@127.0.0.1:1/music") as store:
            for act in (store.models.all, lambda: store.state.set("mood", 1), lambda: store.database.exists):
                with pytest.raises(StoreError, match=r"^No PostgreSQL server answers for postgresql://user@") as caught:
                    act()
                assert "secret" not in str(caught.value)
                assert "Nothing is lost" in str(caught.value)

    def test_one_that_is_silent_is_not_tried_again_at_once(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"postgresql+psycopg://anna:secret@127.0.0.1:{listener.getsockname()[1]}/x?connect_timeout=2"
            for _ in range(3):
                with open_store(address) as store, pytest.raises(StoreError, match="No PostgreSQL server") as caught:
                    store.models.all()
                assert "secret" not in str(caught.value)
            listener.setblocking(False)
            listener.accept()[0].close()
            with pytest.raises(BlockingIOError):
                listener.accept()

    def test_a_missing_database_is_an_error_that_names_the_command_for_one(self, postgres: PostgresServer) -> None:
        reason = r"no such database \(.* database \"nowhere\" does not exist\); make it there with `createdb`\.$"
        with open_store(postgres.address("nowhere")) as store, pytest.raises(StoreError, match=reason):
            store.models.all()

    def test_connection_errors_have_no_reason_twice(self) -> None:
        """Of hosts with several addresses; libpq asks a question after each."""
        refused = 'connection to server at "127.0.0.1", port {} failed: Connection refused'
        with (
            open_store("postgresql://user@/music?host=127.0.0.1,127.0.0.1,127.0.0.1&port=1,1,2") as store,
            pytest.raises(StoreError) as caught,
        ):
            store.models.all()
        assert f" ({refused.format(2)}; {refused.format(1)}); see whether" in str(caught.value)

    def test_a_password_that_is_refused(self, postgres: PostgresServer, address: str) -> None:
        with suppress(Exception):
            postgres.server.psql("CREATE ROLE strict LOGIN PASSWORD 'right';")
        rules = postgres.folder / "pg_hba.conf"
        before = rules.read_text()
        rules.write_text(f"local all strict scram-sha-256\n{before}")
        try:
            postgres.server.psql("SELECT pg_reload_conf();")
            wrong = address.replace("postgres@", "strict:wr%40ng@")
            with open_store(wrong) as store, pytest.raises(StoreError, match="refuses the user or the pass") as caught:
                store.models.all()
            assert "wr@ng" not in str(caught.value)
            assert "wr%40ng" not in str(caught.value)
            # The right one is let in, and finds that it may not see the tables of another.
            right = address.replace("postgres@", "strict:right@")
            with open_store(right) as store, pytest.raises(StoreError, match="permission denied"):
                store.models.all()
        finally:
            rules.write_text(before)
            postgres.server.psql("SELECT pg_reload_conf();")


class TestSchemas:
    def test_tables_of_other_programs_stay_beside_ours(self, postgres: PostgresServer) -> None:
        address = postgres.create_database()
        for table in ("track", "state", "sidecar"):
            run_sql(address, f"CREATE TABLE public.{table} (theirs integer)")
        with open_store(address) as store:
            assert not store.database.exists
            store.models.register(MODEL)
            assert store.database.exists
        assert run_sql(address, "SELECT theirs FROM public.track") == []

    def test_looking_makes_no_tables(self, postgres: PostgresServer) -> None:
        address = postgres.create_database()
        with open_store(address) as store:
            assert not store.database.exists
        assert run_sql(address, "SELECT count(*) FROM pg_namespace WHERE nspname = 'resonance'") == [(0,)]

    def test_pgvector_may_be_in_a_schema_of_its_own(self, postgres: PostgresServer) -> None:
        address = postgres.create_database()
        run_sql(address, "CREATE SCHEMA extensions")
        run_sql(address, "CREATE EXTENSION vector SCHEMA extensions")
        with open_store(address) as store:
            store.models.register(MODEL)
            store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0]))
            assert store.vectors.count(MODEL.id) == 1

    def test_many_make_one_schema_at_once(self, postgres: PostgresServer) -> None:
        address = postgres.create_database()
        stores = [open_store(address) for _ in range(6)]
        errors: list[BaseException] = []

        def work(store: Store) -> None:
            try:
                store.models.register(MODEL)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(store,)) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len({store.database.identity for store in stores}) == 1
        for store in stores:
            store.close()

    def test_embeddings_are_beside_their_bytes_as_halfvec(self, address: str) -> None:
        with open_store(address) as store:
            store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1], {"timbre": VECTORS[2]}))
            store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[3]))
        rows = run_sql(address, "SELECT kind, data, half::text FROM vector ORDER BY id")
        assert [kind for kind, _, _ in rows] == ["embedding", "embedding", "timbre"]
        for kind, data, half in rows:
            if kind == "embedding":
                values = np.array(half.strip("[]").split(","), np.float64).astype(np.float16)
                assert values.tobytes() == data
            else:
                assert half is None


class TestConnections:
    def test_those_that_were_closed_while_idle_are_made_again(self, address: str) -> None:
        with open_store(address) as store:
            store.state.set("mood", "good")
            with store.write():
                store.state.set("mood", "better")
            end_connections(address)
            assert store.state.get("mood") == "better"
            end_connections(address)
            with store.write():
                store.state.set("mood", "best")
            assert store.state.get("mood") == "best"

    def test_a_reader_whose_connection_is_lost_ends_with_a_sentence(self, address: str) -> None:
        with open_store(address) as store:

            def read() -> None:
                with store.read():
                    assert store.vectors.count(MODEL.id) == 1
                    end_connections(address)
                    store.vectors.count(MODEL.id)

            with pytest.raises(StoreError, match=r"^The connection to postgresql://.* was lost"):
                read()
            assert store.vectors.count(MODEL.id) == 1

    def test_of_a_writer_whose_connection_is_lost_nothing_is_kept(self, address: str) -> None:
        with open_store(address) as store:

            def write() -> None:
                with store.write():
                    store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
                    end_connections(address)
                    store.tracks.link(1, track(2, 2))

            with pytest.raises(StoreError, match=r"was lost .*what was stored stays"):
                write()
            assert store.vectors.embedded([key(1), key(2)], MODEL.id) == {key(1)}
            store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
            assert check_store(store, MODEL.id) == []

    def test_writers_take_turns_and_readers_never_wait(self, address: str) -> None:
        with holding_process(address), Store(open_store(address).database, patience=0.2) as store:
            store.database._patience = 0.2  # type: ignore[attr-defined]  # of a server's alone
            assert store.vectors.count(MODEL.id) == 1
            with pytest.raises(StoreError, match="is being written by another program; try again"):
                store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
            with pytest.raises(StoreError, match="is being written by another program; try again"):
                store.state.set("mood", 1)
        with open_store(address) as store:
            store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
            assert store.state.get("half") is None

    def test_the_revision_rises_with_each_write_and_stays_with_each_reading(self, address: str) -> None:
        with open_store(address) as one, open_store(address) as other:
            before = one.database.revision
            assert other.vectors.count(MODEL.id) == 1
            assert one.database.revision == before
            other.state.set("mood", 1)
            assert one.database.revision == before + 1
            other.tracks.unlink(1, [1])
            assert one.database.revision == before + 2

    def test_a_role_that_may_only_read_reads(self, postgres: PostgresServer, address: str) -> None:
        rights = ("USAGE ON SCHEMA resonance", "SELECT ON ALL TABLES IN SCHEMA resonance")
        with open_store(postgres.grant(address, "reader", *rights)) as store:
            assert store.vectors.count(MODEL.id) == 1
            for act in (lambda: store.state.set("mood", 1), lambda: store.libraries.get_or_create("new")):
                with pytest.raises(StoreError, match="does not let you do that") as caught:
                    act()
                assert is_unwritable(caught.value)
                assert not is_damage(caught.value)


@contextmanager
def holding_process(address: str) -> Iterator[None]:
    """A process in the midst of writing, which stays there until the `with` ends; nothing of it is kept."""
    script = """
import sys
from resonance_engine.store.opening import open_store
with open_store(sys.argv[1]) as store, store.write():
    store.state.set("half", 1)
    print("holding", flush=True)
    sys.stdin.read()
    raise KeyboardInterrupt
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, address],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield
        process.kill()


class TestDamage:
    @pytest.mark.parametrize("value", ["'{'", "'[]'", "'7'"])
    def test_analyses_that_are_no_names_and_values_are_dropped(self, address: str, value: str) -> None:
        change_rows(address, f"INSERT INTO analysis SELECT content_key, '1', {value} FROM track")  # noqa: S608 - a constant
        with open_store(address) as store:
            with pytest.raises(StoreError, match="makes no sense") as caught:
                store.analyses.get([key(1)])
            if value == "'{'":
                with pytest.raises(StoreError, match="makes no sense") as caught:
                    store.analyses.attributes(MODEL.id, ["tempo"])
            assert is_damage(caught.value)

    def test_a_text_with_a_zero_in_it_is_refused(self, address: str) -> None:
        with open_store(address) as store:
            with pytest.raises(StoreError):
                store.failures.record(1, b"/a", 1, 1, "no\x00audio")
            assert store.failures.all(1) == {}
