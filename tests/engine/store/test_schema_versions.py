"""One sidecar file of every schema that was released opens, passes its check and answers."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from resonance_engine.index.files import open_index
from resonance_engine.store import Store
from resonance_engine.store.recovery.check import check_store, incomplete_recordings
from resonance_engine.store.recovery.repair import repair_store
from resonance_engine.store.sqlite_file import VERSION
from resonance_engine.store.tables import METADATA
from tests.embeddings import MODEL, key, stored, track, unit_vectors
from tests.paths import DATA

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = unit_vectors(8)
TAGS = {1: (), 2: ("sad", "80s"), 3: ("sad", "80s")}


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture(params=range(1, VERSION + 1))
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    path = tmp_path / "resonance.db"
    path.write_bytes(gzip.decompress((DATA / f"store_v{version}.db.gz").read_bytes()))
    assert version_of(path) == version
    return path


def test_it_opens_is_sound_and_answers(path: Path, version: int) -> None:
    with Store(path) as store:
        model, home = store.models.active(), store.libraries.get_or_create("home")
        assert model == replace(MODEL, active=True, tags=TAGS[version])
        assert (
            check_store(store, MODEL.id),
            incomplete_recordings(store, MODEL.id),
            repair_store(store, MODEL.id),
        ) == ([], {}, [])
        assert store.tracks.all(home) == {10 + n: track(10 + n, n) for n in range(3)}
        assert store.failures.all(home).keys() == {b"broken \xff.mp3"}
        ids = store.tracks.vector_ids(home, None, MODEL.id)
        index = open_index(store, MODEL.id, path.parent)
        scores, found = index.nearest(stored(VECTORS[:1]), 3)
        near = stored(VECTORS[:3]).astype(np.float64) @ stored(VECTORS[0]).astype(np.float64)
        assert [{vector: item for item, vector in ids.items()}[each] for each in found[0]] == [
            10 + n for n in np.argsort(-near)
        ]
        np.testing.assert_allclose(scores[0], -np.sort(-near), atol=1e-6)
    assert version_of(path) == VERSION


def test_a_copy_of_an_older_one_stays_and_a_present_one_is_left_alone(path: Path, version: int) -> None:
    before = path.read_bytes()
    with Store(path) as store:
        store.models.all()
    copies = sorted(path.parent.glob("*.bak"))
    if version < VERSION:
        assert [(copy.name, version_of(copy)) for copy in copies] == [(f"resonance.db.v{version}.bak", version)]
    else:
        assert (copies, path.read_bytes()) == ([], before)


def test_tags_and_pairs_of_version_2(tmp_path: Path) -> None:
    path = tmp_path / "resonance.db"
    path.write_bytes(gzip.decompress((DATA / "store_v2.db.gz").read_bytes()))
    with Store(path) as store:
        assert store.tags.get([key(1)], MODEL.id) == {key(1): {"sad": 0.25, "80s": 0.75}}
        assert store.incompatible_pairs.all() == {(key(0), key(1))}
        assert store.vectors.complete([key(0)], MODEL.id) == {key(0)}


def test_dense_windows_and_arrays_of_version_3(tmp_path: Path) -> None:
    path = tmp_path / "resonance.db"
    path.write_bytes(gzip.decompress((DATA / "store_v3.db.gz").read_bytes()))
    with Store(path) as store:
        [(content_key, found)] = store.passages.iterate(MODEL.id)
        assert (content_key, found.hop, found.length) == (key(1), 4.0, 18.0)
        np.testing.assert_array_equal(found.vectors, stored(unit_vectors(5, seed=3)))
        np.testing.assert_array_equal(store.arrays.get(1, ["map"])["map"], np.arange(6).reshape(3, 2))


def test_another_database_gets_room_for_nanoseconds_and_one_active_model() -> None:
    dialect = postgresql.dialect()
    for table, column in (
        ("vector", "generation"),
        ("removed", "generation"),
        ("track", "mtime_ns"),
        ("failure", "size"),
    ):
        assert f"{column} BIGINT NOT NULL" in str(CreateTable(METADATA.tables[table]).compile(dialect=dialect))
    [index] = METADATA.tables["model"].indexes
    assert str(CreateIndex(index).compile(dialect=dialect)).endswith("(active) WHERE active")
