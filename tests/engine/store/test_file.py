"""The file of a store: making it, reading it where nothing can be written, refusing it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store, errors, sqlite_file
from resonance_engine.store.errors import error_message
from tests.embeddings import MODEL, key
from tests.engine.store.store_files import NEWEST, VECTORS, make_store, pragmas
from tests.paths import ROOT
from tests.reliability import disks

if TYPE_CHECKING:
    from collections.abc import Iterator


needs_mounts = pytest.mark.skipif(not disks.allowed(), reason="nobody may mount in a namespace here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resonance.db"


def test_nothing_is_made_before_first_use(path: Path) -> None:
    with Store(path) as store:
        assert not path.exists()
        assert store.generation == 0
    assert pragmas(path, "user_version", "journal_mode", "page_size") == [NEWEST, "wal", 16384]


def test_every_connection_is_set_up(path: Path) -> None:
    with Store(path) as store, store.write() as transaction:
        found = [
            transaction.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("busy_timeout", "synchronous", "foreign_keys")
        ]
    assert found == [10_000, 2, 1]


def test_a_closed_store_opens_again(path: Path) -> None:
    make_store(path)
    assert [p.name for p in path.parent.iterdir()] == ["resonance.db"]
    with Store(path) as store:
        assert store.vectors.embedded([key(1)], MODEL.id)
        store.close()
        assert store.vectors.embedded([key(1)], MODEL.id)


def test_a_path_of_any_bytes(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 100% ?a=b#c")
    folder.mkdir()
    make_store(folder / "resonance.db")
    assert (folder / "resonance.db").stat().st_size > 0
    broken = folder / "broken.db"
    broken.write_bytes(b"not a database " * 100)
    with Store(broken) as store, pytest.raises(StoreError) as caught:
        store.models.all()
    assert str(caught.value).isascii()


@needs_mounts
class TestUnwritable:
    """A reader on a disk that cannot be written to: the file is read as it is, with its log."""

    def test_a_read_only_folder(self, path: Path) -> None:
        make_store(path)
        assert read_inside("protect", path) == "1"

    def test_a_full_disk(self, path: Path) -> None:
        make_store(path)
        assert read_inside("fill", path) == "1"

    def test_a_log_without_its_index_is_not_passed_over(self, path: Path) -> None:
        make_store(path)
        with Store(path) as store:
            store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[1]))
            log = path.with_name("resonance.db-wal").read_bytes()
        path.with_name("resonance.db-wal").write_bytes(log)
        assert read_inside("protect", path) == "2"


INSIDE = """
import shutil, sys
from pathlib import Path
from resonance_engine.errors import StoreError
from resonance_engine.store import Store
from tests.reliability import disks
action, path = sys.argv[1], Path(sys.argv[2])
if action == "fill":
    disk = path.parent / "disk"
    disks.small(disk, 2)
    path = Path(shutil.copy(path, disk))
    disks.fill(disk)
    assert disks.is_full(disk)
else:
    disks.protect(path.parent)
try:
    with Store(path) as reader:
        sys.stdout.write(str(len(reader.vectors.matrix(sys.argv[3])[0])))
except StoreError as error:
    sys.stdout.write(str(error))
"""


def read_inside(action: str, path: Path) -> str:
    """How many vectors a process finds that lets something be done to the disk first, or why it finds none."""
    command = [*disks.UNSHARE, sys.executable, "-c", INSIDE, action, str(path), MODEL.id]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
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
            store.models.all()
        assert str(path) in str(caught.value)
        assert path.read_bytes() == content

    def test_text_that_is_none_even_in_what_sqlite_says(self, path: Path) -> None:
        """SQLite quotes the damaged schema in its error, and Python can't read that."""
        make_store(path)
        content = path.read_bytes()
        assert b"CREATE TABLE track" in content
        path.write_bytes(content.replace(b"CREATE TABLE track", b"CREATE \xff\xfeBLE track"))
        with Store(path) as store, pytest.raises(StoreError, match="damaged or not a Resonance database") as caught:
            store.models.all()
        assert str(caught.value).isascii()

    def test_a_truncated_file(self, path: Path) -> None:
        make_store(path)
        path.write_bytes(path.read_bytes()[: 16384 * 3])
        with Store(path) as store, pytest.raises(StoreError, match="damaged or not a Resonance"):
            store.vectors.matrix(MODEL.id)

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
        make_store(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 7")
        self.assert_refused_untouched(path, rf"newer Resonance \(schema 7, this one knows up to {NEWEST}\)")

    def assert_refused_untouched(self, path: Path, reason: str) -> None:
        before = path.read_bytes()
        with Store(path) as store:
            for act in (store.models.all, lambda: store.libraries.get_or_create("home")):
                with pytest.raises(StoreError, match=reason):
                    act()
        assert path.read_bytes() == before
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "nowhere" / "resonance.db")
        with pytest.raises(StoreError, match=r"can't be opened for writing.*folder exists"):
            store.libraries.get_or_create("home")

    @pytest.mark.parametrize("existing", [False, True])
    def test_a_read_only_folder(self, existing: bool) -> None:
        with (
            read_only_folder(existing) as folder,
            Store(folder / "resonance.db") as store,
            pytest.raises(StoreError, match="can't be opened for writing"),
        ):
            store.libraries.get_or_create("home")

    def test_a_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make_store(path)
        monkeypatch.setattr(sqlite_file, "WRITE_PRAGMAS", (*sqlite_file.WRITE_PRAGMAS, "max_page_count = 22"))
        with Store(path) as store, pytest.raises(StoreError, match="No room is left"):
            store.analyses.put(key(1), "1", {"text": "x" * 200_000})

    def test_what_cannot_be_done_on_a_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """SQLite calls it an I/O error where it wanted room for what it shares with other programs."""
        make_store(path)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        assert "whether its disk is full, gone or failing" in error_message(path, error)
        monkeypatch.setattr(errors, "NO_ROOM", 2**63)
        assert error_message(path, error) == f"No room is left on the disk of {path}; free some space and try again."
        assert "gone or failing" in error_message(path.with_name("gone") / "away", error)

    def test_a_writer_that_never_ends(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_file, "WRITE_PRAGMAS", (*sqlite_file.WRITE_PRAGMAS, "busy_timeout = 1"))
        with Store(path) as one, Store(path) as other, one.write():
            one.libraries.get_or_create("home")
            with pytest.raises(StoreError, match="being written by another program"):
                other.libraries.get_or_create("home")

    def test_writing_inside_a_reading(self, path: Path) -> None:
        with Store(path) as store, store.read(), pytest.raises(RuntimeError, match="before or after"):
            store.libraries.get_or_create("home")


@contextmanager
def read_only_folder(existing: bool) -> Iterator[Path]:
    """A folder in which nobody can make a file, seen as a user who isn't root; maybe with a store in it."""
    folder = Path(tempfile.mkdtemp())
    try:
        if existing:
            make_store(folder / "resonance.db")
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
