"""Files of earlier schemas: brought up to date in one step, with a copy beside, or left as they were."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.recovery.check import check_store
from resonance_engine.store.sqlite_file import VERSION
from resonance_engine.store.tables import METADATA
from tests.embeddings import MODEL, key, stored, track, unit_vectors
from tests.engine.store.store_files import NEWEST, VECTORS, make_store, pragmas
from tests.paths import DATA

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

VERSION_1 = DATA / "store_v1.db.gz"  # as version 1 of the schema left it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resonance.db"


class TestMigration:
    @staticmethod
    def add_mood(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE analysis ADD COLUMN mood VARCHAR")

    @staticmethod
    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE vector")
        raise KeyboardInterrupt

    def test_an_older_file_is_copied_and_brought_up_to_date(self, path: Path) -> None:
        make_store(path)
        backup = path.with_name(f"resonance.db.v{NEWEST}.bak")
        with Store(path, (*MIGRATIONS, self.add_mood)) as store:
            assert store.vectors.embedded([key(1)], MODEL.id)
            store.analyses.put(key(1), "1", {})
        assert pragmas(path, "user_version") == [NEWEST + 1]
        with Store(backup) as store:
            assert store.vectors.embedded([key(1)], MODEL.id)
        refusal = f"schema {NEWEST + 1}, this one knows up to {NEWEST}"
        with Store(path) as store, pytest.raises(StoreError, match=refusal):
            store.models.all()

    def test_only_the_missing_steps_are_taken(self, path: Path) -> None:
        make_store(path)
        steps = []
        later = [lambda _, step=step: steps.append(step) for step in range(3)]
        with Store(path, [*MIGRATIONS, *later[:1]]) as store:
            store.models.all()
        with Store(path, [*MIGRATIONS, *later]) as store:
            store.models.all()
            store.models.all()
        assert steps == [0, 1, 2]
        backups = {f"resonance.db.v{version}.bak" for version in (NEWEST, NEWEST + 1)}
        assert {p.name for p in path.parent.glob("*.bak")} == backups

    def test_an_interrupted_migration_leaves_the_file_as_it_was(self, path: Path) -> None:
        make_store(path)
        with Store(path, (*MIGRATIONS, self.fail)) as store, pytest.raises(KeyboardInterrupt):
            store.models.all()
        with Store(path) as store:
            assert store.vectors.embedded([key(1)], MODEL.id)

    def test_the_migrations_lead_to_the_version_that_readers_know(self) -> None:
        assert VERSION == NEWEST

    def test_version_3_is_what_was_released(self, path: Path) -> None:
        make_store(path)
        with closing(sqlite3.connect(path)) as connection:
            columns = {
                table: [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
                for table in METADATA.tables
            }
        assert columns == {
            "library": ["id", "uuid", "name"],
            "model": ["id", "name", "version", "dimensions", "modalities", "active", "tags"],
            "track": ["library_id", "item_id", "added", "size", "mtime_ns", "content_key"],
            "vector": ["id", "content_key", "model_id", "kind", "generation", "gate", "data"],
            "window": ["content_key", "model_id", "position", "start", "data"],
            "tag": ["content_key", "model_id", "data"],
            "passage": ["content_key", "model_id", "data", "hop", "length"],
            "removed": ["vector_id", "model_id", "generation"],
            "analysis": ["content_key", "extractor_version", "attributes"],
            "array": ["library_id", "name", "data"],
            "failure": ["library_id", "path", "size", "mtime_ns", "reason", "tries", "last_tried"],
            "state": ["key", "value"],
        }


class TestVersion1:
    """A file that was written before tags were kept: recordings 0 to 2 as items 10 to 12, and a file that failed."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "resonance.db"
        path.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
        assert pragmas(path, "user_version") == [1]
        return path

    def test_everything_in_it_is_kept(self, path: Path) -> None:
        kinds = {"embedding": VECTORS, "timbre": VECTORS[[5, 5, 5]], "rhythm": unit_vectors(1, 4)[[0, 0, 0]]}
        with Store(path) as store:
            home = store.libraries.get_or_create("home")
            assert store.tracks.all(home) == {10 + n: track(10 + n, n) for n in range(3)}
            assert store.models.all() == [replace(MODEL, active=True)]
            for n in range(3):
                for kind, vectors in kinds.items():
                    np.testing.assert_array_equal(
                        store.vectors.get([key(n)], MODEL.id, kind)[key(n)], stored(vectors[n])
                    )
                np.testing.assert_array_equal(
                    store.vectors.windows([key(n)], MODEL.id)[key(n)].vectors, stored(VECTORS[2:4])
                )
                assert store.analyses.get([key(n)])[key(n)].attributes["tempo"] == 120.0 + n
            assert store.vectors.gates([key(1)], MODEL.id) == {key(1): {"timbre": 0.75, "rhythm": 0.25}}
            assert len(store.vectors.changes(MODEL.id, 0).removed_ids) == 1
            assert [failure.path for failure in store.failures.all(home).values()] == [b"broken \xff.mp3"]
            assert store.state.get("seconds_per_track") == 0.5
            assert check_store(store, MODEL.id) == []
        assert pragmas(path, "user_version") == [NEWEST]

    def test_it_becomes_the_schema_of_a_new_file(self, path: Path, tmp_path: Path) -> None:
        new = tmp_path / "new.db"
        make_store(new)
        with Store(path) as store:
            store.models.all()
        assert schema(path) == schema(new)

    def test_a_copy_of_it_stays_beside_it(self, path: Path) -> None:
        with Store(path) as store:
            store.models.all()
        backup = path.with_name("resonance.db.v1.bak")
        assert pragmas(backup, "user_version") == [1]
        with Store(backup) as store:
            assert store.failures.all(1).keys() == {b"broken \xff.mp3"}

    def test_its_recordings_are_found_and_to_be_heard_again_once_the_model_gives_tags(self, path: Path) -> None:
        keys = [key(n) for n in range(3)]
        with Store(path) as store:
            assert store.vectors.complete(keys, MODEL.id) == set(keys)
            assert store.tags.count_missing(MODEL.id) == 0
            store.models.register(replace(MODEL, tags=("sad", "80s")))
            assert store.models.all() == [replace(MODEL, active=True, tags=("sad", "80s"))]
            assert store.vectors.complete(keys, MODEL.id) == set()
            assert store.tags.count_missing(MODEL.id) == 3
            assert store.vectors.embedded(keys, MODEL.id) == set(keys)
            before = store.generation
            store.vectors.put(keys[0], MODEL.id, Embedding(VECTORS[0], tags={"sad": 0.25, "80s": 0.5}))
            assert store.generation == before, "the embedding is the same"
            assert store.vectors.complete(keys, MODEL.id) == {keys[0]}
            assert store.tags.count_missing(MODEL.id) == 2

    def test_a_program_of_that_time_refuses_what_it_became(self, path: Path) -> None:
        with Store(path) as store:
            store.models.all()
        with Store(path, ()) as store, pytest.raises(StoreError, match=r"newer.*schema 3, this one knows up to 1"):
            store.models.all()


def schema(path: Path) -> dict[str, object]:
    """Columns, keys and indexes of a file's tables, whatever the wording and the order that made them."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [
                sorted(str(row[number:]) for row in connection.execute(f"PRAGMA {fact}({table})"))
                for fact, number in (("table_info", 0), ("foreign_key_list", 0), ("index_list", 1))
            ]
            for table in tables
        }
