"""A store that is copied from one database into another, and back, has the same rows to the byte."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.index.files import open_index
from resonance_engine.store import DenseWindows, Embedding, Store, Windows
from resonance_engine.store.copying import copy_store, select_all
from resonance_engine.store.opening import open_store
from resonance_engine.store.tables import METADATA
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql_server import PostgresServer

TAGGED = replace(MODEL, id="c3d4", tags=("sad", "Größe ✓"))
VECTORS = unit_vectors(30, seed=4)


def fill(store: Store) -> None:
    """Put something into each table, with values at the edges of their types."""
    store.models.register(MODEL)
    store.models.register(TAGGED)
    store.models.activate(TAGGED.id)
    home, car = (store.libraries.get_or_create(name) for name in ("home", "Auto's \\xff ü"))
    facets = {"timbre": VECTORS[7], "rhythm": unit_vectors(1, 4)[0]}
    for number in range(20):
        gates = {"timbre": 0.1 + 0.2, "rhythm": 5e-324}
        tags = {"sad": 0.0, "Größe ✓": 1 / 3}
        windows = Windows((0.0, 0.1 + 0.2, 1e300), VECTORS[:3])
        store.vectors.put(key(number), TAGGED.id, Embedding(VECTORS[number], facets, gates, windows, tags))
        store.vectors.put(key(number), MODEL.id, Embedding(VECTORS[number]))
        store.analyses.put(key(number), "1", {"tempo": 0.1 + 0.2, "key": "F♯ minor", "energy": -91, "none": None})
        store.tracks.link(home, replace(track(number, number), size=2**40, mtime_ns=2**62, added=1e9 + 1 / 3))
    store.tracks.link(car, track(1, 3))
    store.passages.put(key(1), TAGGED.id, DenseWindows(4.0, 18.0, VECTORS))
    store.arrays.put(home, {"map": np.arange(12.0).reshape(6, 2), "empty": np.empty((0, 3))})
    store.failures.record(home, b"/music/\xff\x00.flac", 2**40, 0, "no audio: “x” 😀")
    store.state.set("mood", {"deep": [1, None, "\x00\ud800", 0.1]})
    store.incompatible_pairs.add([key(1)], [key(2)])
    store.tracks.unlink(home, [18, 19])
    store.maintenance.prune()  # the last ids are gone, and are not used again


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows by table; floats are equal to the bit, and bytes, texts and numbers are no other type's."""
    with store.read() as snapshot:
        return {
            table.name: sorted(tuple(map(exact, row)) for row in snapshot.execute(select_all(table)).fetchall())
            for table in METADATA.sorted_tables
        }


def exact(value: object) -> tuple[str, str]:
    value = int(value) if isinstance(value, bool) else value  # SQLite has none
    return type(value).__name__, value.hex() if isinstance(value, float | bytes) else repr(value)


def test_rows_are_equal_to_the_byte_there_and_back(postgres: PostgresServer, tmp_path: Path) -> None:
    with (
        Store(tmp_path / "resonance.db") as first,
        open_store(postgres.create_database()) as shared,
        Store(tmp_path / "back.db") as back,
        open_store(postgres.create_database()) as moved,
    ):
        fill(first)
        expected = contents(first)
        assert all(expected.values()), "each table has rows"
        for source, target in ((first, shared), (shared, back), (shared, moved)):
            counts = copy_store(source, target)
            assert counts == {name: len(rows) for name, rows in expected.items()}
            assert contents(target) == expected
        before = max(first.vectors.matrix(MODEL.id)[0])
        for store in (first, shared, back, moved):
            store.vectors.put(key(500), MODEL.id, Embedding(VECTORS[0]))
            library = store.libraries.get_or_create("new")
            assert library == 3
            assert next(iter(store.tracks.vector_ids(library, [], MODEL.id)), None) is None
            assert max(store.vectors.matrix(MODEL.id)[0]) > before + 2, "ids of removed vectors are not used again"


def test_an_index_of_the_one_is_brought_up_to_date_by_the_other(place: Path | str, tmp_path: Path) -> None:
    with Store(tmp_path / "first.db") as first, open_store(place) as copy:
        fill(first)
        folder = tmp_path / "indexes"
        folder.mkdir()
        index = open_index(first, MODEL.id, folder)
        copy_store(first, copy)
        copy.vectors.put(key(501), MODEL.id, Embedding(VECTORS[3]))
        assert len(open_index(copy, MODEL.id, folder)) == len(index) + 1


def test_a_copy_goes_into_an_empty_store_alone(place: Path | str, tmp_path: Path) -> None:
    with Store(tmp_path / "first.db") as first, open_store(place) as copy:
        fill(first)
        copy.state.set("mood", "good")
        with pytest.raises(StoreError, match=r"is not empty \(it has rows of state\), so nothing was copied"):
            copy_store(first, copy)
        assert copy.models.all() == []


def test_nothing_is_copied_of_a_store_with_a_damaged_row(place: Path | str, tmp_path: Path) -> None:
    with Store(tmp_path / "first.db") as first, open_store(place) as copy:
        fill(first)
        change_rows(first.path, "UPDATE passage SET data = 'text'")
        with pytest.raises(StoreError, match="value of another type"):
            copy_store(first, copy)
        assert (copy.models.all(), copy.generation) == ([], 0)
