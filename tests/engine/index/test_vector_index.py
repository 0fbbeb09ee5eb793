"""The nearest vectors are those that brute force finds, whatever searches and whatever came before."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.index.array_scan import ArrayScan, new_scan
from resonance_engine.index.backends import FaissScan, NumpyScan
from resonance_engine.index.vector_index import VectorIndex
from tests.embeddings import stored, unit_vectors
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.store.records import Ids, Matrix

NONE = np.empty(0, np.int64)


@pytest.fixture(params=[ArrayScan, FaissScan, NumpyScan])
def build(request: pytest.FixtureRequest) -> Callable[[Ids, Matrix], VectorIndex]:
    return lambda ids, vectors: VectorIndex(ids, vectors, request.param(vectors.shape[1]))


def brute_force(ids: Ids, vectors: Matrix, query: Matrix, k: int, among: set[int]) -> tuple[list[float], list[int]]:
    """Scores and ids of the k nearest of `among`, one product after the other."""
    scores = {
        int(i): np.float32(np.dot(query.astype(np.float64), vector))
        for i, vector in zip(ids, stored(vectors).astype(np.float64), strict=True)
        if int(i) in among
    }
    best = sorted(scores, key=lambda i: (-scores[i], i))[:k]
    return [float(scores[i]) for i in best], best


def assert_nearest(
    index: VectorIndex, ids: Ids, vectors: Matrix, queries: Matrix, k: int, **limits: list[int] | None
) -> None:
    among = set(map(int, ids))
    if limits.get("allowed") is not None:
        among &= set(limits["allowed"])
    among -= set(limits.get("exclude") or ())
    scores, found = index.nearest(queries, k, **limits)
    assert scores.shape == found.shape == (len(queries), min(k, len(among)))
    for query, row_scores, row in zip(queries, scores, found, strict=True):
        expected_scores, expected = brute_force(ids, vectors, query, k, among)
        assert list(row) == expected
        np.testing.assert_allclose(row_scores, expected_scores, atol=1e-7)


LIMITS = [
    {},
    {"exclude": []},
    {"exclude": [3, 7, 10**12, 7]},
    {"allowed": [3, 30, 33, 36, 10**12]},
    {"allowed": list(range(0, 900, 2)), "exclude": list(range(0, 900, 4))},
    {"allowed": []},
    {"allowed": [3], "exclude": [3]},
    {"exclude": list(range(900))},
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("k", [1, 20, 500])
def test_finds_what_brute_force_finds(
    build: Callable[[Ids, Matrix], VectorIndex], k: int, limits: dict[str, list[int]]
) -> None:
    vectors = unit_vectors(300, 64)
    ids = np.random.default_rng(1).permutation(300) * 3
    assert_nearest(build(ids, vectors), ids, vectors, unit_vectors(3, 64, seed=9), k, **limits)


def test_faiss_and_numpy_answer_the_same_to_the_last_bit() -> None:
    vectors, queries = unit_vectors(2000, 512), unit_vectors(300, 512, seed=1)
    ids = np.arange(2000)
    answers = [VectorIndex(ids, vectors, kind(512)).nearest(queries, 10) for kind in (NumpyScan, FaissScan, ArrayScan)]
    for other in answers[1:]:
        for one, another in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


def test_float16_holds_what_the_store_holds(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    vectors = stored(unit_vectors(50, 512))
    index = build(np.arange(50), vectors)
    np.testing.assert_array_equal(index.vectors(range(49, -1, -1)), vectors[::-1])
    scores, found = index.nearest(vectors, 1)
    assert list(found[:, 0]) == list(range(50))
    assert {f"{score:.3f}" for score in scores[:, 0]} == {"1.000"}


def test_equal_vectors_come_in_order_of_id(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    vectors = np.repeat(unit_vectors(3, 64), 100, axis=0)
    ids = np.random.default_rng(2).permutation(300)
    index = build(ids, vectors)
    twin = ids[:100].copy()
    index.remove(twin[:50])
    index.add(twin[:50], vectors[:50])
    for k in (5, 90, 250):
        assert_nearest(index, ids, vectors, vectors[::100], k)


def test_more_near_ties_than_are_looked_at_first(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    # 200 vectors whose scores differ by less than float32 arithmetic can tell.
    base = np.zeros(64, np.float32)
    base[0] = 1
    vectors = np.tile(base, (200, 1))
    vectors[np.arange(200), 1 + np.arange(200) % 50] = np.arange(200, dtype=np.float32) * np.float32(2e-8)
    query = unit_vectors(1, 64)
    ids = np.arange(200)[::-1].copy()
    assert_nearest(build(ids, vectors), ids, vectors, query, 10)


def test_a_batch_is_its_queries_one_by_one(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    index = build(np.arange(100), unit_vectors(100, 16))
    queries = unit_vectors(600, 16, seed=3)
    scores, found = index.nearest(queries, 7)
    for row in (0, 255, 256, 599):
        one_scores, one = index.nearest(queries[row : row + 1], 7)
        np.testing.assert_array_equal(one[0], found[row])
        np.testing.assert_array_equal(one_scores[0], scores[row])


def test_an_empty_index_answers_with_nothing(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    index = build(NONE, np.empty((0, 8), np.float32))
    assert (len(index), list(index.ids), index.dimensions) == (0, [], 8)
    assert index.nearest(unit_vectors(2), 5)[1].shape == (2, 0)
    assert index.nearest(unit_vectors(2), 5, exclude=[1], allowed=[1])[1].shape == (2, 0)
    assert index.remove([1, 2]) == 0
    assert index.vectors([]).shape == (0, 8)
    index.add(np.array([4]), unit_vectors(1))
    assert index.nearest(unit_vectors(2), 0)[1].shape == (2, 0)
    assert index.nearest(unit_vectors(1), 5)[1].tolist() == [[4]]


def test_adding_replaces_and_removing_forgets(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    vectors = unit_vectors(4)
    index = build(np.array([5, 2, 9]), vectors[:3])
    index.add(np.array([2]), vectors[3:])
    assert list(index.ids) == [2, 5, 9]
    np.testing.assert_array_equal(index.vectors([2]), stored(vectors[3:]))
    assert index.remove([9, 9, 1]) == 1
    assert index.nearest(vectors[2:3], 9)[1].shape == (1, 2)
    with pytest.raises(KeyError, match="no vector 9"):
        index.vectors([2, 9])


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda index: index.nearest(unit_vectors(1, 9), 1), r"shape \(q, 8\), got \(1, 9\)"),
        (lambda index: index.nearest(unit_vectors(1)[0], 1), r"got \(8,\)"),
        (lambda index: index.nearest(unit_vectors(1) * np.nan, 1), "finite"),
        (lambda index: index.add(np.array([1]), unit_vectors(2)), r"shape \(1, 8\), got \(2, 8\)"),
        (lambda index: index.add(np.array([1, 1]), unit_vectors(2)), "twice"),
    ],
)
def test_what_makes_no_sense_is_refused(
    build: Callable[[Ids, Matrix], VectorIndex], act: Callable[[VectorIndex], object], reason: str
) -> None:
    index = build(np.array([3]), unit_vectors(1))
    with pytest.raises(ValueError, match=reason):
        act(index)
    assert list(index.ids) == [3]


def test_numpy_searches_where_faiss_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(new_scan(8), ArrayScan)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert isinstance(new_scan(8), NumpyScan)


def test_faiss_and_the_database_are_loaded_when_they_are_needed() -> None:
    code = "import sys, resonance_engine.index.files; print({'faiss', 'sqlalchemy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_threads_share_an_index(build: Callable[[Ids, Matrix], VectorIndex]) -> None:
    vectors = unit_vectors(500, 32)
    index = build(np.arange(400), vectors[:400])
    wrong: list[object] = []

    def search() -> None:
        for row in range(0, 400, 5):
            _, found = index.nearest(vectors[row : row + 1], 1)
            if found.tolist() != [[row]]:
                wrong.append((row, found))

    def change() -> None:
        for row in range(400, 500):
            index.add(np.array([row]), vectors[row : row + 1])
            index.remove([row - 50] if row >= 450 else [])

    threads = [threading.Thread(target=work) for work in (search, change, search)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(index.ids) == [*range(400), *range(450, 500)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.lists(st.integers(0, 9), max_size=4, unique=True)),
    max_size=8,
)


@pytest.mark.parametrize("kind", [ArrayScan, FaissScan, NumpyScan])
@given(steps=STEPS, seed=st.integers(0, 3))
@settings(max_examples=40)
def test_any_history_is_as_good_as_none(
    kind: type[FaissScan | NumpyScan], steps: list[tuple[str, list[int]]], seed: int
) -> None:
    # Few directions, so that ties are common.
    pool = unit_vectors(3, 4, seed)
    expected: dict[int, Matrix] = {}
    index = VectorIndex(NONE, np.empty((0, 4), np.float32), kind(4))
    for number, (verb, ids) in enumerate(steps):
        if verb == "add":
            index.add(np.array(ids, np.int64), pool[[(number + i) % 3 for i in ids]])
            expected |= {i: pool[(number + i) % 3] for i in ids}
        else:
            index.remove(ids)
            expected = {i: vector for i, vector in expected.items() if i not in ids}
    ids = np.array(sorted(expected), np.int64)
    vectors = np.array([expected[i] for i in ids], np.float32).reshape(-1, 4)
    assert list(index.ids) == list(ids)
    assert_nearest(index, ids, vectors, pool, 3)
    assert_nearest(index, ids, vectors, pool, 3, exclude=[0, 1], allowed=[1, 2, 3, 4])
