"""Named arrays of a library come back equal, leave with it, hold no objects, and are checked."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from resonance_engine.errors import StoreError
from resonance_engine.store.arrays import MAX_BYTES, array_defect, digest, to_npy
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from resonance_engine.store.recovery.repair import repair_store
from resonance_engine.store.recovery.salvage import salvage
from tests.embeddings import MODEL
from tests.postgresql_server import in_a_file
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.store.arrays import Array

MAP = np.arange(12, dtype=np.float32).reshape(6, 2)
DTYPES = st.sampled_from([np.dtype(name) for name in ("<f4", "<f8", "<i8", "<f2", "|b1", "<U5")])


@pytest.fixture
def path(place: Path | str) -> Path | str:
    with open_store(place) as store:
        store.models.register(MODEL)
        for name in ("home", "car"):
            store.arrays.put(store.libraries.get_or_create(name), {"map": MAP, "map.ids": np.arange(6)})
    return place


def test_arrays_belong_to_a_library_and_a_name(path: Path | str) -> None:
    with open_store(path) as store:
        home, car = store.libraries.get_or_create("home"), store.libraries.get_or_create("car")
        store.arrays.put(home, {"map": MAP + 1, "one": np.float64(7)})
        assert (store.arrays.names(home), store.arrays.names(car)) == (["map", "map.ids", "one"], ["map", "map.ids"])
        found = store.arrays.get(home, ["map", "one", "nothing"])
        assert {name: array.shape for name, array in found.items()} == {"map": (6, 2), "one": ()}
        np.testing.assert_array_equal(found["map"], MAP + 1)
        np.testing.assert_array_equal(store.arrays.get(car, ["map"])["map"], MAP)
        assert (store.arrays.delete(home, ["map", "nothing"]), store.arrays.names(home)) == (1, ["map.ids", "one"])
        assert store.arrays.names(car) == ["map", "map.ids"]


@given(array=arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
def test_any_array_is_sound_and_reads_back_equal(array: Array) -> None:
    data = to_npy(array)
    assert array_defect(data) is None
    back = np.load(BytesIO(data), allow_pickle=False)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


def test_objects_and_giants_are_refused_and_nothing_of_their_call_is_stored(path: Path | str) -> None:
    with open_store(path) as store:
        home = store.libraries.get_or_create("home")
        for refused, reason in ((np.array([{}, None]), "allow_pickle=False"), (np.zeros(MAX_BYTES, "b"), "split it")):
            with pytest.raises(ValueError, match=reason):
                store.arrays.put(home, {"map": MAP + 1, "other": refused})
        np.testing.assert_array_equal(store.arrays.get(home, ["map"])["map"], MAP)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no header"),
        (b"\x93NUMPY\x01\x00\x00", "no header"),
        (to_npy(MAP).replace(b"(6, 2)", b"(6,[2"), "no header"),
        (to_npy(MAP)[:-1], "hold 48 bytes of numbers and holds 47"),
        (to_npy(MAP).replace(b"(6, 2), }      ", b"(6, 2000000), }"), "holds 48"),
        (to_npy(MAP).replace(b"'<f4'", b"'|O' "), "Python objects"),
        (to_npy(MAP + 1) + digest(to_npy(MAP)), "is not what was stored"),
        ("text", "be bytes and is str"),
    ],
)
def test_damaged_arrays_are_named_never_read_and_dropped(path: Path | str, data: object, problem: str) -> None:
    if isinstance(path, str) and isinstance(data, str):
        pytest.skip("the columns of a server take values of one type")
    change_rows(path, "UPDATE array SET data = ? WHERE library_id = 1 AND name = 'map'", data)
    with open_store(path) as store:
        [sentence] = check_store(store, MODEL.id)
        assert "The array 'map' of library 1 " in sentence
        assert problem in sentence
        with pytest.raises(StoreError, match=r"the array map .*--repair"):
            store.arrays.get(1, ["map"])
        assert repair_store(store, MODEL.id) == ["1 damaged array was dropped."]
        assert check_store(store, MODEL.id) == []
        assert (store.arrays.names(1), store.arrays.names(2)) == (["map.ids"], ["map", "map.ids"])


def test_an_array_of_an_earlier_version_has_no_digest_and_is_read(path: Path | str) -> None:
    change_rows(path, "UPDATE array SET data = ? WHERE library_id = 1 AND name = 'map'", to_npy(MAP + 1))
    with open_store(path) as store:
        assert check_store(store, MODEL.id) == []
        np.testing.assert_array_equal(store.arrays.get(1, ["map"])["map"], MAP + 1)


@in_a_file
def test_arrays_of_a_library_that_is_gone_are_dropped(path: Path) -> None:
    change_rows(path, "DELETE FROM library WHERE name = 'car'")
    with open_store(path) as store:
        assert len(check_store(store, MODEL.id)) == 2
        assert repair_store(store, MODEL.id) == ["2 rows that referred to nothing were dropped."]
        assert store.arrays.names(2) == []


@in_a_file
def test_a_damaged_file_gives_back_its_arrays_also_large_ones(path: Path) -> None:
    large = np.random.default_rng(0).random((1_000_000, 4), np.float32)
    with open_store(path) as store:
        store.arrays.put(1, {"large": large})
    with path.open("r+b") as file:
        file.write(bytes(100))
    salvage(path)
    with open_store(path) as store:
        found = store.arrays.get(1, ["map", "large"])
        np.testing.assert_array_equal(found["map"], MAP)
        np.testing.assert_array_equal(found["large"], large)
        assert store.arrays.names(2) == ["map", "map.ids"]
