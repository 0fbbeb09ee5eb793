"""A sidecar that may not be written, such as another user's, is read as its owner reads it."""

from __future__ import annotations

import gzip
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import resonance_engine.store.writer  # loaded now: a stranger may not read where it lies
from resonance_engine.errors import StoreError
from resonance_engine.store import Store, memory_copy
from resonance_engine.store.errors import is_unwritable
from tests.embeddings import MODEL
from tests.paths import DATA, ROOT
from tests.strangers import STRANGER, as_stranger

if TYPE_CHECKING:
    from collections.abc import Iterator

assert resonance_engine.store.writer
COUNT = 6
LOG, LOG_INDEX = "resonance.db-wal", "resonance.db-shm"
# The last half of this is in the log only where there is one.
OWNER = f"""
import os, sys
from pathlib import Path
from resonance_engine.store import Embedding, Store
from tests.embeddings import MODEL, key, track, unit_vectors
vectors = unit_vectors(8)
def put(store, numbers):
    with store.write():
        for number in numbers:
            store.vectors.put(key(number), MODEL.id, Embedding(vectors[number]))
            store.tracks.link(store.libraries.get_or_create("home"), track(number, number))
path = Path(sys.argv[1])
with Store(path) as store:
    store.models.register(MODEL)
    store.models.activate(MODEL.id)
    put(store, range(1, {COUNT // 2}))
store = Store(path)
put(store, range({COUNT // 2}, {COUNT} + 1))
os._exit(0)  # killed, so to speak: the log and its index stay
"""


# As on a file system without shared memory: what a killed writer had not committed is in the file, and what was there
# before in the journal.
KILLED = """
import os, sqlite3, sys
driver = sqlite3.connect(sys.argv[1], isolation_level=None)
driver.execute("PRAGMA journal_mode = DELETE")
driver.execute("PRAGMA cache_spill = 1")
driver.execute("BEGIN")
driver.execute("DELETE FROM track")
driver.execute("CREATE TABLE other (value)")
driver.executemany("INSERT INTO other VALUES (?)", [("x" * 4000,)] * 4000)
os._exit(0)
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sidecar whose owner was killed, with a log."""
    folder = tmp_path_factory.mktemp("owner")
    command = [sys.executable, "-c", OWNER, str(folder / "resonance.db")]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert (folder / LOG).stat().st_size > 0
    assert (folder / LOG_INDEX).exists()
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter."""
    path = Path(tempfile.mkdtemp(prefix="resonance-test-"))
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def contents(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder, but for the index of the log, in which readers leave marks."""
    return {path.name: path.read_bytes() if path.name != LOG_INDEX else b"" for path in folder.iterdir()}


def read(path: Path) -> tuple[list[int], int]:
    """The items and the number of embeddings in a sidecar."""
    with Store(path) as store:
        library = store.libraries.find("home")
        assert library is not None
        return sorted(store.tracks.all(library)), len(store.vectors.matrix(MODEL.id)[0])


EVERYTHING = (list(range(1, COUNT + 1)), COUNT)


def lay_out(original: Path, folder: Path, log: str, index: str) -> Path:
    """Copy a sidecar with a log of some kind, and an index of the log or none."""
    path = folder / "resonance.db"
    for name in ("resonance.db", LOG, LOG_INDEX):
        shutil.copy(original / name, folder)
    if log != "whole":
        read(path)  # closing it takes the log into the file
        assert contents(folder).keys() == {path.name}
    if log == "empty":
        (folder / LOG).touch()
    if index == "none":
        (folder / LOG_INDEX).unlink(missing_ok=True)
    else:
        (folder / LOG_INDEX).touch()
    return path


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(("log", "index"), list(product(["none", "empty", "whole"], ["none", "there", "unreadable"])))
def test_what_its_owner_committed_is_read(original: Path, folder: Path, log: str, index: str, linked: bool) -> None:
    path = lay_out(original, folder, log, index)
    before = contents(folder)
    with tempfile.TemporaryDirectory() as links:
        Path(links).chmod(0o755)
        link = Path(links) / "elsewhere.db"
        link.symlink_to(path)
        with as_stranger(folder, *([folder / LOG_INDEX] if index == "unreadable" else [])):
            assert read(link if linked else path) == EVERYTHING
    assert contents(folder) == before


def test_what_its_owner_had_not_committed_is_not_read(original: Path, folder: Path) -> None:
    path = lay_out(original, folder, "none", "none")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=True)
    assert path.stat().st_size > 4000 * 1000, "nothing of it is in the file"
    before = contents(folder)
    assert before.keys() == {path.name, "resonance.db-journal"}
    with as_stranger(folder):
        assert read(path) == EVERYTHING
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["resonance.db", LOG])
def test_what_may_not_be_read_is_named_with_its_owner(original: Path, folder: Path, name: str) -> None:
    path = lay_out(original, folder, "whole", "none")
    owner, reader = (
        pwd.getpwuid(number).pw_name for number in (os.geteuid(), STRANGER if os.geteuid() == 0 else os.geteuid())
    )
    with as_stranger(folder, folder / name), pytest.raises(StoreError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{folder / name} may not be read: it belongs to {owner}, and you are {reader}; have it made readable for you, "
        "or do this as its owner."
    )


def test_a_file_of_an_earlier_version_is_left_to_its_owner(folder: Path) -> None:
    path = folder / "resonance.db"
    path.write_bytes(gzip.decompress((DATA / "store_v1.db.gz").read_bytes()))
    before = contents(folder)
    with as_stranger(folder), pytest.raises(StoreError, match=r"was written by an earlier Resonance .* by its owner"):
        read(path)
    assert contents(folder) == before


def test_a_library_without_rows_needs_no_right_to_write(original: Path, folder: Path) -> None:
    path = lay_out(original, folder, "none", "none")
    with as_stranger(folder), Store(path) as store:
        with pytest.raises(StoreError, match="can't be opened for writing") as caught:
            store.libraries.get_or_create("another")
        assert is_unwritable(caught.value)


def test_a_copy_of_a_file_that_is_written_meanwhile_is_not_used(
    original: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay_out(original, folder, "whole", "none")
    states = count()
    monkeypatch.setattr(memory_copy, "file_state", lambda _: (next(states), 0))
    with as_stranger(folder), pytest.raises(StoreError, match="is being written by another program"):
        read(path)
