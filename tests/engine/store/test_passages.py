"""Dense windows go in and out as they are, leave with their recording or model, and are checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import DenseWindows, Embedding, Store
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from resonance_engine.store.recovery.repair import repair_store
from resonance_engine.store.recovery.salvage import salvage
from tests.embeddings import MODEL, key, stored, track, unit_vectors
from tests.postgresql_server import in_a_file
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path

OTHER = replace(MODEL, id="c3d4", name="other")


def dense(count: int, seed: int = 0) -> DenseWindows:
    return DenseWindows(4.0, 18.0, unit_vectors(count, seed=seed))


@pytest.fixture
def path(place: Path | str) -> Path | str:
    """Recordings 0 to 2 with 1 to 3 dense windows, each held by a track."""
    with open_store(place) as store:
        store.models.register(MODEL)
        home = store.libraries.get_or_create("home")
        for n in range(3):
            store.vectors.put(key(n), MODEL.id, Embedding(unit_vectors(8)[n]))
            store.passages.put(key(n), MODEL.id, dense(n + 1, n))
            store.tracks.link(home, track(n, n))
    return place


def assert_holds(store: Store, count: int, seed: int) -> None:
    found = store.passages.get([key(seed)], MODEL.id)[key(seed)]
    assert (found.hop, found.length) == (4.0, 18.0)
    np.testing.assert_array_equal(found.vectors, stored(dense(count, seed).vectors))


def test_dense_windows_come_back_in_order_of_time(path: Path | str) -> None:
    with open_store(path) as store:
        assert store.passages.stored(MODEL.id) == {key(n) for n in range(3)}
        assert store.passages.get([key(9)], MODEL.id) == {}
        for n in range(3):
            assert_holds(store, n + 1, n)
        assert [(each, len(found.vectors)) for each, found in store.passages.iterate(MODEL.id)] == [
            (key(n), n + 1) for n in range(3)
        ]


def test_later_ones_replace_earlier_ones_and_can_be_deleted(path: Path | str) -> None:
    with open_store(path) as store:
        store.passages.put(key(1), MODEL.id, dense(7, 1))
        assert_holds(store, 7, 1)
        assert store.passages.delete([key(1), key(9)], MODEL.id) == 1
        assert store.passages.stored(MODEL.id) == {key(0), key(2)}


def test_they_leave_with_their_recording_and_with_their_model(path: Path | str) -> None:
    with open_store(path) as store:
        store.models.register(OTHER)
        store.passages.put(key(2), OTHER.id, dense(2))
        store.passages.put(key(5), OTHER.id, dense(2))
        assert store.maintenance.orphans() == {key(5)}
        assert store.maintenance.prune() == 1
        assert store.passages.stored(OTHER.id) == {key(2)}
        store.models.remove(MODEL.id)
        assert store.passages.stored(OTHER.id) == {key(2)}
        store.models.register(MODEL)
        assert store.passages.stored(MODEL.id) == set()


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        (dense(0), "multiple of 16 bytes and take 0"),
        (DenseWindows(0.0, 18.0, unit_vectors(2)), "hop above 0 s"),
        (DenseWindows(4.0, float("nan"), unit_vectors(2)), "length above 0 s"),
        (DenseWindows(4.0, 18.0, unit_vectors(2) * 2), "length 1 or 0 and have 2.0"),
        (DenseWindows(4.0, 18.0, np.full((2, 8), np.inf, np.float32)), "not finite"),
        (DenseWindows(4.0, 18.0, unit_vectors(4, 4)), "8 wide|length 1 or 0"),
    ],
)
def test_what_the_model_cannot_have_given_is_refused(path: Path | str, windows: DenseWindows, reason: str) -> None:
    with open_store(path) as store:
        with pytest.raises(ValueError, match=reason):
            store.passages.put(key(1), MODEL.id, windows)
        assert_holds(store, 2, 1)
        with pytest.raises(StoreError, match="knows no model nobody"):
            store.passages.put(key(1), "nobody", dense(1))


@pytest.mark.parametrize(
    ("change", "value", "problem"),
    [
        ("data", np.full(16, np.nan, np.float16).tobytes(), "hold values that are not finite"),
        ("data", np.ones(8, np.float16).tobytes(), "length 1 or 0 and have 2.8"),
        ("data", b"1234567", "multiple of 16 bytes and take 7"),
        ("data", b"", "multiple of 16 bytes and take 0"),
        ("data", "text", "should be bytes and are str"),
        ("hop", -1, "hop above 0 s and have -1"),
        ("length", "long", "length above 0 s and have 'long'"),
    ],
)
def test_damaged_ones_are_named_and_dropped_and_the_vectors_beside_them_stay(
    path: Path | str, change: str, value: object, problem: str
) -> None:
    if isinstance(path, str) and isinstance(value, str):
        pytest.skip("the columns of a server take values of one type")
    change_rows(path, f"UPDATE passage SET {change} = ? WHERE content_key = ?", value, key(1))  # noqa: S608 - a column
    with open_store(path) as store:
        [sentence] = check_store(store, MODEL.id)
        assert f"The dense windows of recording {key(1).hex()} " in sentence
        assert problem in sentence
        assert repair_store(store, MODEL.id) == [
            "The damaged dense windows of 1 recording were dropped; analyse them again."
        ]
        assert check_store(store, MODEL.id) == []
        assert store.passages.stored(MODEL.id) == {key(0), key(2)}
        assert store.vectors.embedded([key(1)], MODEL.id)


def test_ones_that_cannot_be_read_lead_to_repair(path: Path | str) -> None:
    change_rows(path, "UPDATE passage SET data = x'00' WHERE content_key = ?", key(1))
    with open_store(path) as store, pytest.raises(StoreError, match=r"damaged dense windows.*--repair"):
        store.passages.get([key(1)], MODEL.id)


@in_a_file
def test_a_damaged_file_gives_back_its_dense_windows_also_where_hop_and_length_are_whole_numbers(path: Path) -> None:
    with open_store(path) as store:
        for n in range(3):  # a recording is kept whole or not at all
            store.analyses.put(key(n), "1", {})
            facets = {"timbre": unit_vectors(1)[0], "rhythm": unit_vectors(1, 4)[0]}
            store.vectors.put(key(n), MODEL.id, Embedding(unit_vectors(8)[n], facets))
        store.passages.put(key(0), MODEL.id, dense(5_000))
    with path.open("r+b") as file:
        file.write(bytes(100))
    salvage(path)
    with open_store(path) as store:
        assert store.passages.stored(MODEL.id) == {key(n) for n in range(3)}
        assert_holds(store, 5_000, 0)
        assert_holds(store, 3, 2)
        assert store.vectors.windows([key(n) for n in range(3)], MODEL.id) == {}
