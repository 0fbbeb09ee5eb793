"""Files of every method are read as they were written, and damage in what is read late is mended when it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.index import files
from resonance_engine.index.check import index_problem
from resonance_engine.index.files import index_path, load_index, open_index, read_method
from resonance_engine.index.methods import AUTO, FLOAT16, INT8, IVF, METHODS, IndexMethod
from resonance_engine.index.sections import MAGIC, checksum, map_sections
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Store
from tests.embeddings import MODEL, WIDTH, key, track, unit_vectors
from tests.index_files import change_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 1200
VECTORS = unit_vectors(2 * COUNT)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "resonance.db") as store:
        store.models.register(MODEL)
        put(store, 0, COUNT)
        yield store


def put(store: Store, first: int, end: int) -> None:
    store.vectors.put_many(MODEL.id, {key(i): Embedding(VECTORS[i]) for i in range(first, end)})


def opened(store: Store, setting: str = AUTO, resident: bool = True) -> VectorIndex:
    return open_index(store, MODEL.id, store.path.parent, setting=setting, resident=resident)


def path_of(store: Store) -> Path:
    return index_path(store.path.parent, MODEL.id)


def assert_right(index: VectorIndex, store: Store) -> None:
    brute = VectorIndex(*store.vectors.matrix(MODEL.id))
    np.testing.assert_array_equal(index.ids, brute.ids)
    np.testing.assert_array_equal(index.vectors(brute.ids), brute.vectors(brute.ids))
    for one, other in zip(index.nearest(VECTORS[:9], 20), brute.nearest(VECTORS[:9], 20), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_file_of_any_method_is_read_and_followed(store: Store, method: str, resident: bool) -> None:
    opened(store, method, resident)
    written = path_of(store).read_bytes()
    used = read_method(path_of(store))
    assert used is not None
    assert used.requested == method
    put(store, COUNT, COUNT + 30)
    index = opened(store, method, resident)
    assert_right(index, store)
    assert path_of(store).read_bytes() == written
    put(store, COUNT + 30, COUNT + 300)
    assert_right(opened(store, method, resident), store)
    assert path_of(store).read_bytes() != written
    assert index_problem(store, MODEL.id, store.path.parent) is None


def test_another_setting_writes_the_file_anew(store: Store) -> None:
    assert [read_method(path_of(store)) for each in (AUTO, FLOAT16, INT8) if opened(store, each)] == [
        IndexMethod(INT8, INT8),
        IndexMethod(FLOAT16, FLOAT16),
        IndexMethod(INT8, INT8),
    ]


def test_a_rejected_method_is_not_built_again_on_opening(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(store, IVF)
    used = read_method(path_of(store))
    assert used is not None
    assert (used.name, used.requested) == (INT8, IVF)
    monkeypatch.setattr(files, "build_requested", None)
    assert_right(opened(store, IVF), store)


def test_centroids_are_kept_until_the_number_of_vectors_has_doubled(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resonance_engine.index.methods.LEAST_RECALL", 0.0)
    opened(store, IVF)
    first = map_sections(path_of(store)).arrays["centroids"].copy()
    put(store, COUNT, COUNT + 300)
    assert_right_but_for_recall(opened(store, IVF), store)
    np.testing.assert_array_equal(map_sections(path_of(store)).arrays["centroids"], first)
    put(store, COUNT + 300, 2 * COUNT)
    assert_right_but_for_recall(opened(store, IVF), store)
    np.testing.assert_array_equal(map_sections(path_of(store)).arrays["centroids"], first)
    assert read_method(path_of(store)).trained == COUNT


def assert_right_but_for_recall(index: VectorIndex, store: Store) -> None:
    ids, vectors = store.vectors.matrix(MODEL.id)
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.vectors(ids), vectors)


@pytest.mark.parametrize("section", ["codes", "vectors"])
def test_damage_that_is_read_late_is_mended_then(store: Store, monkeypatch: pytest.MonkeyPatch, section: str) -> None:
    opened(store)
    monkeypatch.setattr(files, "VERIFIED_AT_ONCE", 0)
    path = path_of(store)
    mapped = map_sections(path)
    content = bytearray(path.read_bytes())
    size = mapped.arrays[section].nbytes
    for place in range(mapped.starts[section], mapped.starts[section] + size, 97):
        content[place] ^= 0x10
    path.unlink()
    path.write_bytes(content)
    assert "its content is damaged" in index_problem(store, MODEL.id, store.path.parent)
    assert_right(opened(store), store)
    assert not path.exists()
    assert_right(opened(store), store)
    assert index_problem(store, MODEL.id, store.path.parent) is None


def test_damage_beside_changes_is_mended_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(store)
    monkeypatch.setattr(files, "VERIFIED_AT_ONCE", 0)
    path = path_of(store)
    content = path.read_bytes()
    path.write_bytes(content[: -COUNT * WIDTH] + bytes(COUNT * WIDTH))
    put(store, COUNT, COUNT + 20)
    index = opened(store)
    index.remove(index.ids[:5])
    ids, vectors = store.vectors.matrix(MODEL.id)
    np.testing.assert_array_equal(index.ids, ids[5:])
    np.testing.assert_array_equal(index.vectors(ids[5:]), vectors[5:])
    assert index.nearest(vectors[:1], COUNT + 20)[1].shape == (1, COUNT + 15)


def test_damage_is_an_error_where_the_store_no_longer_has_what_the_index_had(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(store)
    monkeypatch.setattr(files, "VERIFIED_AT_ONCE", 0)
    content = path_of(store).read_bytes()
    path_of(store).write_bytes(content[: -COUNT * WIDTH] + bytes(COUNT * WIDTH))
    index = opened(store)
    store.tracks.link_many(store.libraries.get_or_create("home"), [track(1, 1)])
    store.maintenance.prune()
    with pytest.raises(StoreError, match="run the command again"):
        index.vectors(index.ids)


def test_an_index_file_of_an_older_format_is_rewritten(store: Store) -> None:
    opened(store)
    sound = path_of(store).read_bytes()
    path_of(store).write_bytes(b"resonance index 2\n{}\n" + sound[-3000:])
    assert load_index(path_of(store), MODEL.id) is None
    assert_right(opened(store), store)
    assert path_of(store).read_bytes() == sound


@pytest.mark.parametrize(
    "change",
    [
        lambda header: {**header, "model": "ffff"},
        lambda header: {**header, "kind": "timbre"},
        lambda header: {**header, "generation": 10**6},
        lambda header: {**header, "method": {**header["method"], "name": "ivf"}},
        lambda header: {**header, "method": {**header["method"], "name": "pq"}},
        lambda header: {**header, "method": {"speed": 1}},
        lambda header: {**header, "sections": {}},
        lambda header: {**header, "sections": {**header["sections"], "ids": [[2], 0, 0]}},
        lambda header: {**header, "sections": {**header["sections"], "ids": [[-1], 0, 0]}},
        lambda header: {**header, "sections": {**header["sections"], "vectors": [[10**12, 8], 0, None]}},
        lambda header: {name: value for name, value in header.items() if name != "scale"},
        lambda _: {},
        lambda _: [],
    ],
)
def test_a_header_that_means_something_else_is_no_index(store: Store, change: Any) -> None:
    opened(store)
    sound = path_of(store).read_bytes()
    path_of(store).write_bytes(change_header(sound, change))
    assert_right(opened(store), store)
    assert path_of(store).read_bytes() == sound


def test_the_header_tells_what_is_searched_how(store: Store) -> None:
    assert read_method(path_of(store)) is None
    opened(store)
    assert path_of(store).read_bytes().startswith(MAGIC + b"\n")
    assert read_method(path_of(store)).describe() == "int8, exact"
    assert IndexMethod(IVF, IVF, 0.9973, 16, 9).describe() == "ivf, 99.7% of the nearest 100 in a sample of searches"


def test_memory_that_was_given_back_is_read_again(store: Store) -> None:
    opened(store)
    mapped = map_sections(path_of(store))
    before = {name: array.copy() for name, array in mapped.arrays.items()}
    for _ in range(2):
        mapped.release(["codes", "vectors", "centroids"])
        for name, array in mapped.arrays.items():
            np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("size", [0, 1, 7, 8, 511, 65_536, 65_537, 200_000])
def test_a_checksum_notices_every_changed_bit(size: int) -> None:
    content = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    whole = checksum(content)
    assert checksum(content.copy()) == whole
    for place in range(0, size, max(size // 50, 1)):
        content[place] ^= 1 << place % 8
        assert checksum(content) != whole
        content[place] ^= 1 << place % 8
    if size > 1:
        assert checksum(content[:-1]) != whole
    assert re.fullmatch(r"\d+", str(whole))
