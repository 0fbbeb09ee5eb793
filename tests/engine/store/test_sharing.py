"""Threads and processes that share a store, and one that is killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import ROOT
from tests.postgresql_server import in_a_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTORS = unit_vectors(8)


@pytest.fixture
def path(place: Path | str) -> Path | str:
    with open_store(place) as store:
        store.models.register(MODEL)
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0]))
    return place


def test_readers_see_the_last_committed_state(path: Path | str) -> None:
    with open_store(path) as writer, open_store(path) as reader:
        with writer.write():
            writer.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
            assert reader.vectors.embedded([key(2)], MODEL.id) == set()
        assert reader.vectors.embedded([key(2)], MODEL.id) == {key(2)}


def test_a_reading_stays_at_one_state(path: Path | str) -> None:
    with open_store(path) as writer, open_store(path) as reader, reader.read():
        generation = reader.generation
        writer.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
        assert reader.generation == generation
        assert len(reader.vectors.matrix(MODEL.id)[0]) == 1


def test_many_threads_make_and_fill_one_file(path: Path | str) -> None:
    shared = open_store(path)
    stores = [shared, shared, open_store(path), open_store(path)]
    start = threading.Barrier(len(stores))
    errors = []

    def work(number: int, store: Store) -> None:
        try:
            start.wait()
            store.models.register(MODEL)
            library = store.libraries.get_or_create("home")
            for content in range(number * 100, number * 100 + 20):
                with store.write():
                    store.vectors.put(key(content), MODEL.id, Embedding(VECTORS[content % 8]))
                    store.tracks.link(library, track(content, content))
                assert store.vectors.embedded([key(content)], MODEL.id)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=item) for item in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    counts = shared.tracks.counts(shared.libraries.get_or_create("home"), MODEL.id)
    for store in stores:
        store.close()
    assert (counts.linked, counts.embedded) == (80, 80)


def test_two_processes_write_at_once(path: Path | str) -> None:
    with writing_process(path, first=1000) as process, open_store(path) as store:
        for content in range(100, 140):
            put_and_link(store, content)
        process.stdin.close()
        assert process.wait() == 0
        found = store.tracks.all(store.libraries.get_or_create("home")).keys()
        assert set(range(100, 140)) < found
        assert {1000, 1001} < found
        assert check_store(store, MODEL.id) == []


def test_a_killed_writer_loses_nothing_that_it_reported(path: Path | str) -> None:
    with writing_process(path, first=1000) as process:
        reported = [int(process.stdout.readline()) for _ in range(30)]
        process.kill()
        process.wait()
    with open_store(path) as store:
        assert store.vectors.embedded(map(key, reported), MODEL.id) == set(map(key, reported))
        counts = store.tracks.counts(store.libraries.get_or_create("home"), MODEL.id)
        assert counts.linked == counts.embedded
        assert check_store(store, MODEL.id) == []


@in_a_file
def test_readers_never_wait_for_a_writer_of_another_process(path: Path) -> None:
    """Without patience, any wait would be an error."""
    with holding_process(path) as process, Store(path, patience=0) as store:
        readers = [Store(path, patience=0) for _ in range(10)]
        for reader in (*readers, store):
            with reader:
                assert reader.vectors.embedded([key(1)], MODEL.id) == {key(1)}
                assert len(reader.vectors.matrix(MODEL.id)[0]) == 1
                assert reader.state.get("half") is None
        assert process.poll() is None


@in_a_file
def test_a_writer_that_waits_in_vain_says_so_and_keeps_nothing(path: Path) -> None:
    with holding_process(path), Store(path, patience=0.01) as store:
        with pytest.raises(StoreError, match=r"resonance\.db is being written by another program; try again"):
            store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
        assert store.vectors.embedded([key(2)], MODEL.id) == set()
    with open_store(path) as store:
        store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
        assert store.vectors.embedded([key(2)], MODEL.id) == {key(2)}


HOLDER = """
import sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
writer.execute("BEGIN EXCLUSIVE")
writer.execute("INSERT INTO state (key, value) VALUES ('half', '1')")
print("holding", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding_process(path: Path | str) -> Iterator[subprocess.Popen[str]]:
    """A process in the midst of writing, which stays there until the `with` ends; nothing of it is kept."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process
        process.kill()


def put_and_link(store: Store, content: int) -> None:
    """Keep one imagined recording, the way an import does."""
    with store.write():
        store.vectors.put(key(content), MODEL.id, Embedding(VECTORS[content % 8]))
        store.tracks.link(store.libraries.get_or_create("home"), track(content, content))


WRITER = """
import select, sys
from resonance_engine.store.opening import open_store
from tests.engine.store.test_sharing import put_and_link
from tests.postgresql_server import parse_place
with open_store(parse_place(sys.argv[1])) as store:
    content = int(sys.argv[2])
    while not select.select([sys.stdin], [], [], 0)[0]:
        put_and_link(store, content)
        print(content, flush=True)
        content += 1
"""


@contextmanager
def writing_process(path: Path | str, first: int) -> Iterator[subprocess.Popen[str]]:
    """A process that puts one recording after another, reports each, and ends when its input does."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert int(process.stdout.readline()) == first
        yield process


@in_a_file
def test_a_file_that_takes_the_place_of_an_open_one(path: Path) -> None:
    """As a repair, or a backup that is restored: the log of the new file, which has the same name, stays."""
    other = path.with_name("other.db")
    with Store(other) as store:
        store.models.register(MODEL)
    with open_store(path) as reader, open_store(path) as writer:
        writer.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
        with reader.read():
            assert reader.vectors.count(MODEL.id) == 2
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink()
            other.replace(path)
            with open_store(path) as newer:
                newer.vectors.put(key(3), MODEL.id, Embedding(VECTORS[2]))
                assert reader.vectors.count(MODEL.id) == 2  # what was begun ends in the state that it began in
                assert writer.vectors.embedded([key(1), key(3)], MODEL.id) == {key(3)}
                writer.vectors.put(key(4), MODEL.id, Embedding(VECTORS[3]))
                assert newer.vectors.count(MODEL.id) == 2
        assert reader.vectors.embedded([key(1), key(3), key(4)], MODEL.id) == {key(3), key(4)}
    with open_store(path) as after:
        assert after.vectors.count(MODEL.id) == 2


@in_a_file
def test_the_lock_of_another_file_is_not_its_own(path: Path) -> None:
    """Who reads the library meanwhile may have to wait for it, and the sidecar is not the reason."""
    library = path.with_name("library.db")
    with closing(sqlite3.connect(library, timeout=0, isolation_level=None)) as reader:
        reader.execute("CREATE TABLE items (id)")
        with closing(sqlite3.connect(library, isolation_level=None)) as other, open_store(path) as store:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match=r"^The beets library is being written"), store.read():
                reader.execute("SELECT * FROM items")
            assert store.vectors.count(MODEL.id) == 1


@in_a_file
def test_an_open_file_that_is_deleted_is_created_again(path: Path) -> None:
    with open_store(path) as store:
        assert store.vectors.count(MODEL.id) == 1
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink()
        assert store.models.all() == []
        assert path.exists()
