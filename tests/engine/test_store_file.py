"""The file of a store: making it, sharing it, refusing it, and what is left after accidents."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store, sentences
from resonance_engine.store import engine as store_engine
from resonance_engine.store.migrations import MIGRATIONS
from resonance_engine.store.models import Base
from resonance_engine.store.reading import open_reader
from resonance_engine.store.schema import VERSION
from resonance_engine.store.sentences import sentence
from tests.embeddings import MODEL, key, stored, track, unit_vectors
from tests.faults import media

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

VECTORS = unit_vectors(8)
VERSION_1 = Path(__file__).parent.parent / "data" / "store_v1.db.gz"  # as version 1 of the schema left it
NEWEST = 1 + len(MIGRATIONS)
needs_mounts = pytest.mark.skipif(not media.allowed(), reason="nobody may mount in a namespace here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resonance.db"


def filled(path: Path) -> None:
    with Store(path) as store:
        store.register(MODEL)
        store.put(key(1), MODEL.id, Embedding(VECTORS[0]))


def pragmas(path: Path, *names: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


def test_nothing_is_made_before_first_use(path: Path) -> None:
    with Store(path) as store:
        assert not path.exists()
        assert store.generation == 0
    assert pragmas(path, "user_version", "journal_mode", "page_size") == [NEWEST, "wal", 16384]


def test_every_connection_is_set_up(path: Path) -> None:
    with Store(path) as store, store._transaction() as transaction:
        found = [
            transaction.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("busy_timeout", "synchronous", "foreign_keys")
        ]
    assert found == [10_000, 2, 1]


def test_a_closed_store_opens_again(path: Path) -> None:
    filled(path)
    assert [p.name for p in path.parent.iterdir()] == ["resonance.db"]
    with Store(path) as store:
        assert store.has([key(1)], MODEL.id)
        store.close()
        assert store.has([key(1)], MODEL.id)


def test_a_path_of_any_bytes(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 100% ?a=b#c")
    folder.mkdir()
    filled(folder / "resonance.db")
    assert (folder / "resonance.db").stat().st_size > 0
    broken = folder / "broken.db"
    broken.write_bytes(b"not a database " * 100)
    with Store(broken) as store, pytest.raises(StoreError) as caught:
        store.models()
    assert str(caught.value).isascii()


@needs_mounts
class TestUnwritable:
    """A reader on a disk that cannot be written to: the file is read as it is, or not at all."""

    def test_a_read_only_folder(self, path: Path) -> None:
        filled(path)
        assert read_inside("protect", path) == "1"

    def test_a_full_disk(self, path: Path) -> None:
        filled(path)
        assert read_inside("fill", path) == "1"

    def test_a_log_that_cannot_be_read_is_not_passed_over(self, path: Path) -> None:
        filled(path)
        with Store(path) as store:
            store.put(key(2), MODEL.id, Embedding(VECTORS[1]))
            log = path.with_name("resonance.db-wal").read_bytes()
        path.with_name("resonance.db-wal").write_bytes(log)
        assert "can't be opened" in read_inside("protect", path)


INSIDE = """
import shutil, sys
from pathlib import Path
from resonance_engine.errors import StoreError
from resonance_engine.store import Store
from resonance_engine.store.reading import open_reader
from tests.faults import media
action, path = sys.argv[1], Path(sys.argv[2])
if action == "fill":
    disk = path.parent / "disk"
    media.small(disk, 2)
    path = Path(shutil.copy(path, disk))
    media.fill(disk)
    assert media.is_full(disk)
else:
    media.protect(path.parent)
reader = open_reader(path) or Store(path)
try:
    with reader:
        sys.stdout.write(str(len(reader.matrix(sys.argv[3])[0])))
except StoreError as error:
    sys.stdout.write(str(error))
"""


def read_inside(action: str, path: Path) -> str:
    """How many vectors a process finds that lets something be done to the disk first, or why it finds none."""
    command = [*media.UNSHARE, sys.executable, "-c", INSIDE, action, str(path), MODEL.id]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestRefusal:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"not a database at all, but long enough to be looked at" * 40, "damaged or not a Resonance"),
            (b"SQLite format 3\x00" + b"\xff" * 4000, "damaged or not a Resonance"),
        ],
    )
    def test_garbage(self, path: Path, content: bytes, reason: str) -> None:
        path.write_bytes(content)
        with Store(path) as store, pytest.raises(StoreError, match=reason) as caught:
            store.models()
        assert str(path) in str(caught.value)
        assert path.read_bytes() == content

    def test_text_that_is_none_even_in_what_sqlite_says(self, path: Path) -> None:
        """SQLite quotes the damaged schema in its error, and Python can't read that."""
        filled(path)
        content = path.read_bytes()
        assert b"CREATE TABLE track" in content
        path.write_bytes(content.replace(b"CREATE TABLE track", b"CREATE \xff\xfeBLE track"))
        assert open_reader(path) is None
        with Store(path) as store, pytest.raises(StoreError, match="damaged or not a Resonance database") as caught:
            store.models()
        assert str(caught.value).isascii()

    def test_a_truncated_file(self, path: Path) -> None:
        filled(path)
        path.write_bytes(path.read_bytes()[: 16384 * 3])
        with Store(path) as store, pytest.raises(StoreError, match="damaged or not a Resonance"):
            store.matrix(MODEL.id)

    @pytest.mark.parametrize(
        ("statements", "reason"),
        [
            (["CREATE TABLE items (id INTEGER)"], "another program"),
            (["PRAGMA user_version = 1"], "another program"),
            (["PRAGMA application_id = 42"], "another program"),
        ],
    )
    def test_the_database_of_another_program(self, path: Path, statements: list[str], reason: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        self.assert_refused_untouched(path, reason)

    def test_a_newer_schema(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 7")
        self.assert_refused_untouched(path, rf"newer Resonance \(schema 7, this one knows up to {NEWEST}\)")

    def assert_refused_untouched(self, path: Path, reason: str) -> None:
        before = path.read_bytes()
        with Store(path) as store:
            for act in (store.models, lambda: store.library("home")):
                with pytest.raises(StoreError, match=reason):
                    act()
        assert path.read_bytes() == before
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "nowhere" / "resonance.db")
        with pytest.raises(StoreError, match=r"can't be opened for writing.*folder exists"):
            store.library("home")

    @pytest.mark.parametrize("existing", [False, True])
    def test_a_read_only_folder(self, existing: bool) -> None:
        with (
            read_only_folder(existing) as folder,
            Store(folder / "resonance.db") as store,
            pytest.raises(StoreError, match="can't be opened for writing"),
        ):
            store.library("home")

    def test_a_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        filled(path)
        monkeypatch.setattr(store_engine, "PRAGMAS", (*store_engine.PRAGMAS, "max_page_count = 22"))
        with Store(path) as store, pytest.raises(StoreError, match="No room is left"):
            store.put_analysis(key(1), "1", {"text": "x" * 200_000})

    def test_what_cannot_be_done_on_a_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """SQLite calls it an I/O error where it wanted room for what it shares with other programs."""
        filled(path)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        assert "whether its disk is full, gone or failing" in sentence(path, error)
        monkeypatch.setattr(sentences, "NO_ROOM", 2**63)
        assert sentence(path, error) == f"No room is left on the disk of {path}; free some space and try again."
        assert "gone or failing" in sentence(path.with_name("gone") / "away", error)

    def test_a_writer_that_never_ends(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store_engine, "PRAGMAS", (*store_engine.PRAGMAS, "busy_timeout = 1"))
        with Store(path) as one, Store(path) as other, one.write():
            one.library("home")
            with pytest.raises(StoreError, match="being written by another program"):
                other.library("home")

    def test_writing_inside_a_reading(self, path: Path) -> None:
        with Store(path) as store, store.read(), pytest.raises(RuntimeError, match="before or after"):
            store.library("home")


@contextmanager
def read_only_folder(existing: bool) -> Iterator[Path]:
    """A folder in which nobody can make a file, seen as a user who isn't root; maybe with a store in it."""
    folder = Path(tempfile.mkdtemp())
    try:
        if existing:
            filled(folder / "resonance.db")
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


class TestMigration:
    @staticmethod
    def add_mood(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE analysis ADD COLUMN mood VARCHAR")

    @staticmethod
    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE vector")
        raise KeyboardInterrupt

    def test_an_older_file_is_copied_and_brought_up_to_date(self, path: Path) -> None:
        filled(path)
        backup = path.with_name(f"resonance.db.v{NEWEST}.bak")
        with Store(path, (*MIGRATIONS, self.add_mood)) as store:
            assert store.has([key(1)], MODEL.id)
            store.put_analysis(key(1), "1", {})
        assert pragmas(path, "user_version") == [NEWEST + 1]
        with Store(backup) as store:
            assert store.has([key(1)], MODEL.id)
        refusal = f"schema {NEWEST + 1}, this one knows up to {NEWEST}"
        with Store(path) as store, pytest.raises(StoreError, match=refusal):
            store.models()

    def test_only_the_missing_steps_are_taken(self, path: Path) -> None:
        filled(path)
        steps = []
        later = [lambda _, step=step: steps.append(step) for step in range(3)]
        with Store(path, [*MIGRATIONS, *later[:1]]) as store:
            store.models()
        with Store(path, [*MIGRATIONS, *later]) as store:
            store.models()
            store.models()
        assert steps == [0, 1, 2]
        backups = {f"resonance.db.v{version}.bak" for version in (NEWEST, NEWEST + 1)}
        assert {p.name for p in path.parent.glob("*.bak")} == backups

    def test_an_interrupted_migration_leaves_the_file_as_it_was(self, path: Path) -> None:
        filled(path)
        with Store(path, (*MIGRATIONS, self.fail)) as store, pytest.raises(KeyboardInterrupt):
            store.models()
        with Store(path) as store:
            assert store.has([key(1)], MODEL.id)

    def test_the_migrations_lead_to_the_version_that_readers_know(self) -> None:
        assert VERSION == NEWEST

    def test_version_2_is_what_was_released(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            columns = {
                table: [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
                for table in Base.metadata.tables
            }
        assert columns == {
            "library": ["id", "uuid", "name"],
            "model": ["id", "name", "version", "dimensions", "modalities", "active", "tags"],
            "track": ["library_id", "item_id", "added", "size", "mtime_ns", "content_key"],
            "vector": ["id", "content_key", "model_id", "kind", "generation", "gate", "data"],
            "window": ["content_key", "model_id", "position", "start", "data"],
            "tag": ["content_key", "model_id", "data"],
            "removed": ["vector_id", "model_id", "generation"],
            "analysis": ["content_key", "extractor_version", "attributes"],
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
            home = store.library("home")
            assert store.tracks(home) == {10 + n: track(10 + n, n) for n in range(3)}
            assert store.models() == [replace(MODEL, active=True)]
            for n in range(3):
                for kind, vectors in kinds.items():
                    np.testing.assert_array_equal(store.vectors([key(n)], MODEL.id, kind)[key(n)], stored(vectors[n]))
                np.testing.assert_array_equal(store.windows([key(n)], MODEL.id)[key(n)].vectors, stored(VECTORS[2:4]))
                assert store.analyses([key(n)])[key(n)].attributes["tempo"] == 120.0 + n
            assert store.gates([key(1)], MODEL.id) == {key(1): {"timbre": 0.75, "rhythm": 0.25}}
            assert len(store.changes(MODEL.id, 0).removed_ids) == 1
            assert [failure.path for failure in store.failures(home).values()] == [b"broken \xff.mp3"]
            assert store.state("seconds_per_track") == 0.5
            assert store.check(MODEL.id) == []
        assert pragmas(path, "user_version") == [NEWEST]

    def test_it_becomes_the_schema_of_a_new_file(self, path: Path, tmp_path: Path) -> None:
        new = tmp_path / "new.db"
        filled(new)
        with Store(path) as store:
            store.models()
        assert schema(path) == schema(new)

    def test_a_copy_of_it_stays_beside_it(self, path: Path) -> None:
        with Store(path) as store:
            store.models()
        backup = path.with_name("resonance.db.v1.bak")
        assert pragmas(backup, "user_version") == [1]
        with Store(backup) as store:
            assert store.failures(1).keys() == {b"broken \xff.mp3"}

    def test_its_recordings_are_found_and_to_be_heard_again_once_the_model_gives_tags(self, path: Path) -> None:
        keys = [key(n) for n in range(3)]
        with Store(path) as store:
            assert store.heard(keys, MODEL.id) == set(keys)
            assert store.without_tags(MODEL.id) == 0
            store.register(replace(MODEL, tags=("sad", "80s")))
            assert store.models() == [replace(MODEL, active=True, tags=("sad", "80s"))]
            assert store.heard(keys, MODEL.id) == set()
            assert store.without_tags(MODEL.id) == 3
            assert store.has(keys, MODEL.id) == set(keys)
            before = store.generation
            store.put(keys[0], MODEL.id, Embedding(VECTORS[0], tags={"sad": 0.25, "80s": 0.5}))
            assert store.generation == before, "the embedding is the same"
            assert store.heard(keys, MODEL.id) == {keys[0]}
            assert store.without_tags(MODEL.id) == 2

    def test_a_program_of_that_time_refuses_what_it_became(self, path: Path) -> None:
        with Store(path) as store:
            store.models()
        with Store(path, ()) as store, pytest.raises(StoreError, match=r"newer.*schema 2, this one knows up to 1"):
            store.models()


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
