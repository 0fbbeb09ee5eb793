"""What is read of a sidecar without the means to write it: the same as the store reads, of files of this version."""

from __future__ import annotations

import gzip
import os
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store, Windows
from resonance_engine.store.reading import open_reader
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resonance_engine.store.reading import Reader

VECTORS = unit_vectors(8)
VERSION_1 = DATA / "store_v1.db.gz"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "resonance.db"
    with Store(path) as store:
        store.register(MODEL)
        store.activate(MODEL.id)
        store.link_many(store.library("home"), [track(10, 1), track(11, 1), track(12, 2), track(13, 9)])
        for number in range(1, 4):
            facets = {"timbre": VECTORS[number]}
            windows = Windows((0.0, 4.0), VECTORS[:2])
            store.put(key(number), MODEL.id, Embedding(VECTORS[number], facets, {"timbre": 1.0}, windows))
        store.put_analysis(key(1), "1", {"tempo": 120.0, "key": None})
        store.fail(1, b"odd \xff.mp3", 1, 2, "is broken")
        store.part([key(1)], [key(2)])
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    found = open_reader(path)
    assert found is not None
    with found:
        yield found


def readings(reader: Reader) -> list[object]:
    """What every verb says, as plain values."""
    keys = [key(number) for number in range(12)]
    ids, vectors = reader.matrix(MODEL.id)
    facets = reader.matrix(MODEL.id, "timbre")
    changes = reader.changes(MODEL.id, 0)
    windows = {each: (found.starts, found.vectors.tolist()) for each, found in reader.windows(keys, MODEL.id).items()}
    return [
        *(reader.generation, reader.models(), reader.active_model()),
        *(reader.known_library("home"), reader.known_library("car")),
        *(reader.tracks(1), reader.tracks_of(1, [10, 13, 99]), reader.items_of(1, ids), reader.tracks_behind(1, ids)),
        *(reader.vector_ids(1, None, MODEL.id), reader.vector_ids(1, [11, 12], MODEL.id), reader.counts(1, MODEL.id)),
        *(reader.vector_ids(1, range(40_000), MODEL.id), reader.vector_count(MODEL.id, "timbre")),
        *(reader.has(keys, MODEL.id), reader.content_keys(ids.tolist()), reader.orphans()),
        *(ids.tolist(), vectors.tolist(), facets[0].tolist(), facets[1].tolist()),
        *(changes.generation, changes.added_ids.tolist(), changes.removed_ids.tolist()),
        {each: vector.tolist() for each, vector in reader.vectors(keys, MODEL.id).items()},
        *(windows, reader.gates(keys, MODEL.id), reader.analyses(keys), reader.analysed(keys, "1")),
        *(
            reader.attributes(MODEL.id, ["tempo", "key"])[1],
            reader.heard(keys, MODEL.id),
            reader.without_tags(MODEL.id),
        ),
        *(reader.tags(keys, MODEL.id), reader.tag_matrix(MODEL.id)[0].tolist(), reader.tag_sample(MODEL.id).tolist()),
        *(reader.failures(1), reader.state("seconds_per_track"), reader.pairs_apart()),
    ]


def test_a_reader_reads_what_the_store_reads(path: Path, reader: Reader) -> None:
    with Store(path) as store:
        expected = readings(store)
        with store.write():
            assert readings(store) == expected
    assert readings(reader) == expected
    assert expected[5].keys() == {10, 11, 12, 13}  # type: ignore[attr-defined]  # something is there to be read


def test_what_a_transaction_wrote_it_reads_itself(path: Path, reader: Reader) -> None:
    with Store(path) as store, store.write():
        before = store.generation
        store.put(key(7), MODEL.id, Embedding(VECTORS[7]))
        assert store.has([key(7)], MODEL.id) == {key(7)}
        assert store.generation > before
        np.testing.assert_array_equal(store.changes(MODEL.id, before).added_ids, [max(store.matrix(MODEL.id)[0])])
        assert reader.has([key(7)], MODEL.id) == set()
        assert reader.generation == before
    assert reader.has([key(7)], MODEL.id) == {key(7)}


def test_a_reading_stays_at_one_state(path: Path, reader: Reader) -> None:
    with Store(path) as store, reader.read():
        before = reader.tracks(1)
        store.link(1, track(20, 3))
        assert reader.tracks(1) == before
    assert 20 in reader.tracks(1)


def test_nothing_is_changed_and_nothing_left_behind(path: Path, reader: Reader) -> None:
    before = path.read_bytes()
    readings(reader)
    reader.close()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert reader.models()[0].id == MODEL.id, "it opens again"
    with reader._view() as view, pytest.raises(sqlite3.OperationalError, match="readonly"):
        view.driver.execute("DELETE FROM track")


def test_threads_share_a_reader(reader: Reader) -> None:
    expected = readings(reader)
    found: list[object] = []
    together = threading.Barrier(6)

    def work() -> None:
        with reader.read():
            together.wait()
            found.append(readings(reader) == expected)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 6


def test_a_path_of_any_bytes(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 100% ?a=b#c")
    folder.mkdir()
    reader = open_reader(path.rename(folder / "resonance.db"))
    assert reader is not None
    with reader:
        assert reader.known_library("home") == 1


class TestFilesForTheStore:
    """Nothing is opened, made or changed that the store has to make, or to refuse."""

    def assert_left_alone(self, path: Path) -> None:
        before = path.read_bytes() if path.exists() else None
        assert open_reader(path) is None
        assert (path.read_bytes() if path.exists() else None) == before

    def test_no_file(self, tmp_path: Path) -> None:
        self.assert_left_alone(tmp_path / "resonance.db")
        self.assert_left_alone(tmp_path / "nowhere" / "resonance.db")

    def test_an_older_version(self, tmp_path: Path) -> None:
        path = tmp_path / "resonance.db"
        path.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
        self.assert_left_alone(path)
        with Store(path) as store:
            store.models()
        with open_reader(path) or Store(path) as reader:
            assert not isinstance(reader, Store)
            assert len(reader.tracks(1)) == 3

    @pytest.mark.parametrize("statement", ["PRAGMA user_version = 7", "PRAGMA application_id = 42"])
    def test_a_newer_one_and_another_program_s(self, path: Path, statement: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
        self.assert_left_alone(path)

    @pytest.mark.parametrize("content", [b"", b"not a database " * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
    def test_garbage(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "resonance.db"
        path.write_bytes(content)
        self.assert_left_alone(path)


def test_damage_is_a_sentence(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:16384] + b"\xff" * (len(content) - 16384))
    reader = open_reader(path)
    assert reader is not None
    with reader, pytest.raises(StoreError, match="damaged or not a Resonance"):
        reader.matrix(MODEL.id)
