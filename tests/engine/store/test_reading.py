"""What is read of a sidecar without what writing needs: every part of the store, of files of this version."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store, Windows
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import DATA, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTORS = unit_vectors(8)
VERSION_1 = DATA / "store_v1.db.gz"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "resonance.db"
    with Store(path) as store:
        store.models.register(MODEL)
        store.models.activate(MODEL.id)
        store.tracks.link_many(
            store.libraries.get_or_create("home"), [track(10, 1), track(11, 1), track(12, 2), track(13, 9)]
        )
        for number in range(1, 4):
            facets = {"timbre": VECTORS[number]}
            windows = Windows((0.0, 4.0), VECTORS[:2])
            store.vectors.put(key(number), MODEL.id, Embedding(VECTORS[number], facets, {"timbre": 1.0}, windows))
        store.analyses.put(key(1), "1", {"tempo": 120.0, "key": None})
        store.failures.record(1, b"odd \xff.mp3", 1, 2, "is broken")
        store.incompatible_pairs.add([key(1)], [key(2)])
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[Store]:
    with Store(path) as found:
        yield found


def readings(reader: Store) -> list[object]:
    """What every verb says, as plain values."""
    keys = [key(number) for number in range(12)]
    ids, vectors = reader.vectors.matrix(MODEL.id)
    facets = reader.vectors.matrix(MODEL.id, "timbre")
    changes = reader.vectors.changes(MODEL.id, 0)
    windows = {
        each: (found.starts, found.vectors.tolist()) for each, found in reader.vectors.windows(keys, MODEL.id).items()
    }
    return [
        *(reader.generation, reader.models.all(), reader.models.active()),
        *(reader.libraries.find("home"), reader.libraries.find("car")),
        *(
            reader.tracks.all(1),
            reader.tracks.get(1, [10, 13, 99]),
            reader.tracks.by_vector(1, ids),
        ),
        *(
            reader.tracks.vector_ids(1, None, MODEL.id),
            reader.tracks.vector_ids(1, [11, 12], MODEL.id),
            reader.tracks.counts(1, MODEL.id),
        ),
        *(reader.tracks.vector_ids(1, range(40_000), MODEL.id), reader.vectors.count(MODEL.id, "timbre")),
        *(
            reader.vectors.embedded(keys, MODEL.id),
            reader.vectors.content_keys(ids.tolist()),
            reader.maintenance.orphans(),
        ),
        *(ids.tolist(), vectors.tolist(), facets[0].tolist(), facets[1].tolist()),
        *(changes.generation, changes.added_ids.tolist(), changes.removed_ids.tolist()),
        {each: vector.tolist() for each, vector in reader.vectors.get(keys, MODEL.id).items()},
        *(windows, reader.vectors.gates(keys, MODEL.id), reader.analyses.get(keys)),
        *(
            reader.analyses.attributes(MODEL.id, ["tempo", "key"])[1],
            reader.vectors.complete(keys, MODEL.id),
            reader.tags.count_missing(MODEL.id),
        ),
        *(
            reader.tags.get(keys, MODEL.id),
            reader.tags.matrix(MODEL.id)[0].tolist(),
            reader.tags.sample(MODEL.id).tolist(),
        ),
        *(reader.failures.all(1), reader.state.get("seconds_per_track"), reader.incompatible_pairs.all()),
    ]


def test_a_reader_reads_what_the_store_reads(path: Path, reader: Store) -> None:
    with Store(path) as store:
        expected = readings(store)
        with store.write():
            assert readings(store) == expected
    assert readings(reader) == expected
    assert expected[5].keys() == {10, 11, 12, 13}  # type: ignore[attr-defined]  # something is there to be read


def test_what_a_transaction_wrote_it_reads_itself(path: Path, reader: Store) -> None:
    with Store(path) as store, store.write():
        before = store.generation
        store.vectors.put(key(7), MODEL.id, Embedding(VECTORS[7]))
        assert store.vectors.embedded([key(7)], MODEL.id) == {key(7)}
        assert store.generation > before
        np.testing.assert_array_equal(
            store.vectors.changes(MODEL.id, before).added_ids, [max(store.vectors.matrix(MODEL.id)[0])]
        )
        assert reader.vectors.embedded([key(7)], MODEL.id) == set()
        assert reader.generation == before
    assert reader.vectors.embedded([key(7)], MODEL.id) == {key(7)}


def test_a_reading_stays_at_one_state(path: Path, reader: Store) -> None:
    with Store(path) as store, reader.read():
        before = reader.tracks.all(1)
        store.tracks.link(1, track(20, 3))
        assert reader.tracks.all(1) == before
    assert 20 in reader.tracks.all(1)


def test_nothing_is_changed_and_nothing_left_behind(path: Path, reader: Store) -> None:
    before = path.read_bytes()
    readings(reader)
    reader.close()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert reader.models.all()[0].id == MODEL.id, "it opens again"
    with reader.read() as snapshot, pytest.raises(sqlite3.OperationalError, match="readonly"):
        snapshot.execute("DELETE FROM track")


def test_threads_share_a_reader(reader: Store) -> None:
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
    with Store(path.rename(folder / "resonance.db")) as reader:
        assert reader.libraries.find("home") == 1


LOADED = """
import sys
from pathlib import Path
from resonance_engine.errors import StoreError
from resonance_engine.store import Store
from tests.embeddings import MODEL, track
with Store(Path(sys.argv[1])) as store:
    try:
        store.models.all()
        store.models.register(MODEL)
        store.models.activate(MODEL.id)
        home = store.libraries.get_or_create("home")
        store.tracks.link_many(home, store.tracks.all(home).values())
        store.tracks.unlink(home, [99])
        store.failures.clear(home, b"unknown")
        store.state.set("last_analysis", 1.5)
    except StoreError as error:
        print(error, file=sys.stderr)
print("sqlalchemy" in sys.modules)
"""


def loads_what_writing_needs(path: Path) -> bool:
    """Whether a process that reads a file, and has nothing new to write into it, loads SQLAlchemy."""
    command = [sys.executable, "-c", LOADED, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout == "True\n"


class TestWhatReadingLoads:
    """Only a file that has to be made or migrated, or that SQLite can't read, needs more than sqlite3."""

    def test_a_file_of_this_version(self, path: Path) -> None:
        assert not loads_what_writing_needs(path)
        with Store(path) as store:
            assert store.state.get("last_analysis") == 1.5

    def test_no_file(self, tmp_path: Path) -> None:
        assert loads_what_writing_needs(tmp_path / "resonance.db")

    def test_an_older_version(self, tmp_path: Path) -> None:
        path = tmp_path / "resonance.db"
        path.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
        assert loads_what_writing_needs(path)
        assert not loads_what_writing_needs(path), "it was migrated"
        with Store(path) as store:
            assert len(store.tracks.all(1)) == 3

    @pytest.mark.parametrize("statement", ["PRAGMA user_version = 7", "PRAGMA application_id = 42"])
    def test_a_newer_one_and_another_program_s(self, path: Path, statement: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
        before = path.read_bytes()
        assert not loads_what_writing_needs(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
    def test_garbage_is_left_alone(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "resonance.db"
        path.write_bytes(content)
        assert loads_what_writing_needs(path)
        assert path.read_bytes() == content


def test_damage_is_a_sentence(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:16384] + b"\xff" * (len(content) - 16384))
    with Store(path) as reader, pytest.raises(StoreError, match="damaged or not a Resonance"):
        reader.vectors.matrix(MODEL.id)
