"""A damaged sidecar file is kept, and what its whole pages hold is in the new one."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import DenseWindows, Embedding, Store, Windows
from resonance_engine.store.errors import is_damage
from resonance_engine.store.recovery.check import check_store, incomplete_recordings
from resonance_engine.store.recovery.pages import open_pages
from resonance_engine.store.recovery.salvage import salvage
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.paths import DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 16384
COUNT = 300
WIDE = replace(MODEL, dimensions=512, modalities={"timbre": 512, "rhythm": 128}, tags=("sad", "80s"))
LONG = "x" * 3 * PAGE  # goes on in pages of its own
VECTORS = unit_vectors(COUNT, 512)
VERSION_1 = DATA / "store_v1.db.gz"


def fill(store: Store) -> None:
    store.models.register(WIDE)
    store.models.activate(WIDE.id)
    home = store.libraries.get_or_create("home")
    rhythm, windows = unit_vectors(1, 128)[0], Windows((0.0, 4.0), VECTORS[:2])
    with store.write():
        for n in range(COUNT):
            facets, gates = {"timbre": VECTORS[n], "rhythm": rhythm}, {"timbre": 0.75, "rhythm": 0.25}
            tags = {"sad": 0.5, "80s": n / COUNT}
            store.vectors.put(key(n), WIDE.id, Embedding(VECTORS[n], facets, gates, windows, tags))
            store.passages.put(key(n), WIDE.id, DenseWindows(4.0, 18.0, VECTORS[:3]))
            store.analyses.put(key(n), "1", {"tempo": 100 + n, **({"text": LONG} if n == 7 else {})})
            store.tracks.link(home, track(n, n))
    store.arrays.put(home, {"map": VECTORS[:, :2]})
    store.failures.record(home, b"broken \xff.mp3", 1, 2, "it is broken")
    store.incompatible_pairs.add([key(1)], [key(2), key(3)])
    store.state.set("seconds_per_track", 0.25)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "resonance.db"
    with Store(path) as store:
        fill(store)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return shutil.copy(whole, tmp_path / "resonance.db")


def rows(path: Path) -> dict[str, set[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            "library",
            "model",
            "track",
            "vector",
            "window",
            "tag",
            "passage",
            "array",
            "analysis",
            "failure",
            "state",
        ]
        found = {table: set(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables}  # noqa: S608 - ours
    found["state"] = {row for row in found["state"] if row[0] != "generation"}
    return found


def assert_sound(path: Path) -> int:
    """What is in the file passes its check; returns how many recordings it holds."""
    with Store(path) as store:
        for model in store.models.all():
            assert check_store(store, model.id, partial=True) == []
            assert incomplete_recordings(store, model.id) == {}
        return sum(store.vectors.count(model.id) for model in store.models.all())


def test_a_whole_file_loses_nothing(path: Path, whole: Path) -> None:
    saved = salvage(path)
    assert rows(path) == rows(whole)
    assert (saved.recordings, saved.tracks) == (COUNT, COUNT)
    assert saved.kept == path.with_name("resonance.db.damaged-1")
    assert saved.kept.read_bytes() == whole.read_bytes()
    with Store(path) as new, Store(whole) as old:
        assert new.generation > old.generation, "no index of the old file is one of the new"
        assert new.incompatible_pairs.all() == {(key(1), key(2)), (key(1), key(3))}
        assert new.state.get("seconds_per_track") == 0.25
    assert salvage(path).kept.name == "resonance.db.damaged-2"
    assert sorted(each.name for each in path.parent.iterdir()) == [
        path.name,
        *(f"{path.name}.damaged-{n}" for n in (1, 2)),
    ]


def test_rows_are_those_that_sqlite_reads(path: Path) -> None:
    with path.open("rb") as file:
        found = [values for _, values in open_pages(file, path).rows()]
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        expected = [row for table in tables for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - ours
        expected += connection.execute("SELECT * FROM sqlite_master").fetchall()
    # Tables that count their rows themselves hold nothing in that column.
    assert len(found) == len(expected)
    assert {values[1:] for values in found} == {row[1:] for row in expected}


@pytest.mark.parametrize("damage", ["head", "garbage head", "truncated", "empty page"])
def test_damage_of_one_place_costs_what_lay_there(path: Path, damage: str) -> None:
    content = path.read_bytes()
    half = len(content) // PAGE // 2 * PAGE
    path.write_bytes(
        {
            "head": bytes(PAGE) + content[PAGE:],
            "garbage head": np.random.default_rng(0).bytes(PAGE) + content[PAGE:],
            "truncated": content[: half + 1000],
            "empty page": content[:half] + bytes(PAGE) + content[half + PAGE :],
        }[damage]
    )
    damaged = path.read_bytes()
    before = rows_of(content, path)
    if damage != "empty page":
        with Store(path) as store, pytest.raises(StoreError) as caught:
            check_store(store, WIDE.id)
        assert is_damage(caught.value)
    saved = salvage(path)
    assert assert_sound(path) == saved.recordings
    assert saved.recordings > {"truncated": COUNT * 0.3}.get(damage, COUNT * 0.9)
    assert all(found <= before[table] for table, found in rows(path).items()), "nothing is made up"
    assert saved.kept.read_bytes() == damaged


def rows_of(content: bytes, path: Path) -> dict[str, set[tuple[object, ...]]]:
    copy = path.with_name("copy.db")
    copy.write_bytes(content)
    found = rows(copy)
    copy.unlink()
    return found


def torn(content: bytes, seed: int, pages: int) -> bytes:
    """The file with some pages overwritten, whole or in part, by zeros or noise."""
    chance, made = np.random.default_rng(seed), bytearray(content)
    for number in chance.choice(len(content) // PAGE, pages, replace=False).tolist():
        start = number * PAGE + int(chance.choice([0, 512 * chance.integers(PAGE // 512)]))
        length = (number + 1) * PAGE - start
        made[start : start + length] = bytes(length) if chance.random() < 0.5 else chance.bytes(length)
    return bytes(made)


def survivors(path: Path, content: bytes, seeds: range, share: float) -> Iterator[float]:
    """The share of recordings that is saved of a file with a share of its pages torn, for each seed."""
    for seed in seeds:
        path.write_bytes(torn(content, seed, max(1, round(share * len(content) / PAGE))))
        before = path.read_bytes()
        saved = salvage(path)
        assert saved.kept.read_bytes() == before
        assert assert_sound(path) == saved.recordings
        saved.kept.unlink()
        yield saved.recordings / COUNT


def test_torn_pages(path: Path) -> None:
    """Each page takes the recordings with it that have something on it, and no others."""
    assert min(survivors(path, path.read_bytes(), range(3), 0.01)) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("share", "least"), [(0.002, 0.9), (0.01, 0.8), (0.05, 0.4), (0.2, 0.0)])
def test_many_torn_files(
    path: Path, share: float, least: float, record_property: Callable[[str, object], None]
) -> None:
    found = list(survivors(path, path.read_bytes(), range(20), share))
    record_property("recordings saved on average", float(np.mean(found)))
    record_property("recordings saved at least", min(found))
    assert np.mean(found) >= least


def test_what_is_in_the_log_alone_is_saved(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:  # keeps the log from being written back
        reader.execute("BEGIN").execute("SELECT count(*) FROM state").fetchone()
        with Store(path) as store:
            store.vectors.put(
                key(999),
                WIDE.id,
                Embedding(
                    VECTORS[0],
                    {"timbre": VECTORS[0], "rhythm": unit_vectors(1, 128)[0]},
                    windows=Windows((0.0,), VECTORS[:1]),
                ),
            )
            store.analyses.put(key(999), "1", {})
            folder = tmp_path / "copy"
            folder.mkdir()
            copy = shutil.copy(path, folder / path.name)
            shutil.copy(f"{path}-wal", f"{copy}-wal")
    with copy.open("r+b") as file:
        file.write(bytes(100))
    saved = salvage(copy)
    assert saved.recordings == COUNT + 1
    assert (saved.kept.with_name(f"{saved.kept.name}-wal").exists(), Path(f"{copy}-wal").exists()) == (True, False)
    assert_sound(copy)


def test_a_model_whose_row_is_lost_keeps_its_vectors(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM model")
        connection.commit()
    assert salvage(path).recordings == COUNT
    with Store(path) as store:
        model = store.models.active()
        assert model is not None
        assert (model.id, model.widths()) == (WIDE.id, WIDE.widths())
        store.models.register(WIDE)
    assert_sound(path)


def test_a_file_of_the_first_version(tmp_path: Path) -> None:
    path = tmp_path / "resonance.db"
    path.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
    assert salvage(path).recordings == 3
    with Store(path) as store:
        assert store.models.all() == [replace(MODEL, active=True)]


@pytest.mark.parametrize("statement", ["PRAGMA application_id = 42", "PRAGMA user_version = 0"])
def test_a_header_that_says_that_the_file_is_of_another_program(path: Path, whole: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    with Store(path) as store, pytest.raises(StoreError, match="is damaged: its header says") as caught:
        store.models.all()
    assert is_damage(caught.value)
    assert salvage(path).recordings == COUNT
    assert rows(path) == rows(whole)


def test_notes_that_say_nothing_are_left_out(path: Path, whole: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE state SET value = '{' WHERE key = 'generation'")
        connection.execute("INSERT INTO state VALUES ('mood', 'good'), ('deep', ?)", ("[" * 100_000,))
        connection.execute("UPDATE vector SET generation = ? WHERE id = 7", (2**62,))
        connection.commit()
    assert salvage(path).recordings == COUNT
    assert rows(path)["state"] == rows(whole)["state"]
    with Store(path) as store:
        assert store.generation == 2**62 + 1, "no index is of as late a state"
        assert_sound(path)


@pytest.mark.parametrize("content", [b"", b"no database at all", bytes(5 * PAGE)])
def test_nothing_to_save(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "resonance.db"
    path.write_bytes(content)
    saved = salvage(path)
    assert (saved.recordings, saved.tracks, saved.kept.read_bytes()) == (0, 0, content)
    with Store(path) as store:
        assert store.models.all() == []


def test_a_folder_without_room_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("resonance_engine.store.recovery.salvage.os.fsync", full)
        with pytest.raises(StoreError, match=r"nothing could be saved from it.*No space left"):
            salvage(path)
    monkeypatch.setattr("resonance_engine.store.sqlite_file.WRITE_PRAGMAS", ("page_size = 16384", "max_page_count = 5"))
    with pytest.raises(StoreError, match="No room is left"):
        salvage(path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.part*"))
