"""A copy that does not come to its end leaves nothing behind, says why, and can be repeated."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.copying import copy_store, select_all
from resonance_engine.store.opening import open_store
from resonance_engine.store.snapshot import ROWS_AT_A_TIME
from resonance_engine.store.tables import METADATA
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import ROOT
from tests.raw_sql import change_rows, run_sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql_server import PostgresServer

RECORDINGS = 12
END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
COPYING = """
import sys
from pathlib import Path
from resonance_engine.store import Store
from resonance_engine.store.copying import copy_store
from resonance_engine.store.opening import open_store
source, target = sys.argv[1:]

def wait_in(table, count):
    if table == "vector":
        print("copying", flush=True)
        sys.stdin.read()

with Store(Path(source)) as first, open_store(target if "://" in target else Path(target)) as copy:
    copy_store(first, copy, wait_in)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with a few recordings, each in a track."""
    path = tmp_path / "first.db"
    vectors = unit_vectors(RECORDINGS)
    with Store(path) as store:
        store.models.register(MODEL)
        home = store.libraries.get_or_create("home")
        for number, vector in enumerate(vectors):
            store.vectors.put(key(number), MODEL.id, Embedding(vector))
            store.analyses.put(key(number), "1", {"tempo": 120.0})
            store.tracks.link(home, track(number, number))
    return path


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store.read() as snapshot:
        return {table.name: snapshot.execute(select_all(table)).fetchall() for table in METADATA.sorted_tables}


def assert_repeatable(source: Path, target: Path | str) -> None:
    """Nothing of the first copy is there, and a second one is complete."""
    with Store(source) as first, open_store(target) as copy:
        assert not any(contents(copy).values())
        copy_store(first, copy)
        assert contents(copy) == contents(first)


def test_by_an_interrupt(source: Path, place: Path | str) -> None:
    def interrupt(table: str, _: int) -> None:
        if table == "vector":
            raise KeyboardInterrupt

    with Store(source) as first, open_store(place) as copy, pytest.raises(KeyboardInterrupt):
        copy_store(first, copy, interrupt)
    assert_repeatable(source, place)


def test_by_a_kill(source: Path, place: Path | str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COPYING, source, str(place)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "copying\n"
        process.kill()
    assert_repeatable(source, place)


def test_by_a_server_that_closes_the_connection(source: Path, postgres: PostgresServer) -> None:
    address = postgres.create_database()

    def end(table: str, _: int) -> None:
        if table == "track":
            run_sql(address, END)

    lost = r"^The connection to postgresql://.* was lost .*what was stored stays"
    with Store(source) as first, open_store(address) as copy, pytest.raises(StoreError, match=lost):
        copy_store(first, copy, end)
    assert_repeatable(source, address)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE track SET item_id = 1099511627777 WHERE item_id = 1", "A row of track .*item_id is too large"),
        ("UPDATE vector SET data = 7 WHERE id = 1", "A row of vector .*data holds a value of another type"),
        ("UPDATE vector SET data = x'0000007e' WHERE id = 1", "A row of vector .*NaN not allowed"),
        ("UPDATE vector SET data = x'003c00' WHERE id = 1", "A row of vector .*can't be stored"),
        ("UPDATE vector SET model_id = 'gone' WHERE id = 1", "A row of vector .*foreign key"),
        ("UPDATE analysis SET attributes = '{' || char(0)", "A row of analysis .*can't be stored"),
    ],
    ids=["large", "type", "not finite", "odd", "orphan", "zero"],
)
def test_by_a_row_that_a_server_does_not_take(
    source: Path, postgres: PostgresServer, statement: str, reason: str
) -> None:
    address = postgres.create_database()
    change_rows(source, statement)
    with (
        Store(source) as first,
        open_store(address) as copy,
        pytest.raises(StoreError, match=f"{reason}.*run `beet resonance check --repair` and copy again"),
    ):
        copy_store(first, copy)
    with open_store(address) as copy:
        assert not any(contents(copy).values())


def test_by_a_row_that_a_file_does_not_take(source: Path, tmp_path: Path) -> None:
    change_rows(source, "UPDATE vector SET model_id = 'gone' WHERE id = 1")
    with (
        Store(source) as first,
        Store(tmp_path / "copy.db") as copy,
        pytest.raises(StoreError, match=r"A row of vector in .*first.db can't be stored in .*copy.db \(FOREIGN KEY"),
    ):
        copy_store(first, copy)
    with Store(tmp_path / "copy.db") as copy:
        assert not any(contents(copy).values())


def test_rows_are_copied_in_batches(tmp_path: Path, place: Path | str) -> None:
    counts = [0]
    count = 2 * ROWS_AT_A_TIME + 1

    def note(table: str, so_far: int) -> None:
        assert table == "state"
        counts.append(so_far)

    with Store(tmp_path / "first.db") as first, open_store(place) as copy:
        with first.write() as transaction:
            transaction.upsert("state", [{"key": f"{number:06}", "value": "1"} for number in range(count)])
        assert copy_store(first, copy, note)["state"] == count
        assert contents(copy) == contents(first)
    assert counts == [0, ROWS_AT_A_TIME, 2 * ROWS_AT_A_TIME, count]
