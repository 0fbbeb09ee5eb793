"""Each method finds what brute force finds; one that misses too much gives way to one that misses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.index.array_scan import ArrayScan
from resonance_engine.index.backends import NumpyScan
from resonance_engine.index.methods import (
    APPROXIMATE_FROM,
    AUTO,
    INT8,
    IVF,
    LEAST_RECALL,
    METHODS,
    IndexMethod,
    build_requested,
    choose_method,
    measure_recall,
)
from resonance_engine.index.vector_index import VectorIndex
from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from resonance_engine.store.records import Ids, Matrix

NONE = np.empty(0, np.int64)
EXACT_METHODS = [each for each in METHODS if each != IVF]


def laid_out(ids: Ids, vectors: Matrix, method: str) -> tuple[VectorIndex, IndexMethod]:
    segment, used = build_requested(ids, vectors.astype(np.float16), method)
    width = vectors.shape[1]
    return VectorIndex(NONE, np.empty((0, width), np.float32), ArrayScan(width, segment, used)), used


def brute_force(ids: Ids, vectors: Matrix) -> VectorIndex:
    return VectorIndex(ids, vectors, NumpyScan(vectors.shape[1]))


def clustered(count: int, width: int = 64, clusters: int = 40, seed: int = 0) -> Matrix:
    """Unit vectors around some centres, in order of none."""
    rng = np.random.default_rng(seed)
    centres = unit_vectors(clusters, width, seed + 1)
    noise = 0.05 * rng.standard_normal((count, width))
    vectors = (centres[rng.integers(clusters, size=count)] + noise).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def assert_same(index: VectorIndex, other: VectorIndex, queries: Matrix, k: int, **limits: list[int] | None) -> None:
    for one, another in zip(index.nearest(queries, k, **limits), other.nearest(queries, k, **limits), strict=True):
        np.testing.assert_array_equal(one, another)


def recall(index: VectorIndex, other: VectorIndex, queries: Matrix) -> float:
    hits, nearest = (each.nearest(queries, 20)[1] for each in (index, other))
    return measure_recall(np.full(len(queries), -1), nearest, hits)


@pytest.mark.parametrize("method", EXACT_METHODS)
@given(
    count=st.integers(0, 900),
    width=st.sampled_from([1, 3, 8, 16, 30, 64]),
    k=st.sampled_from([1, 5, 20, 200]),
    twins=st.integers(1, 40),
    seed=st.integers(0, 99),
    exclude=st.none() | st.lists(st.integers(0, 2700), max_size=30),
    allowed=st.none() | st.lists(st.integers(0, 2700), max_size=300),
)
@settings(max_examples=30)
def test_an_exact_method_finds_what_brute_force_finds(
    method: str,
    count: int,
    width: int,
    k: int,
    twins: int,
    seed: int,
    exclude: list[int] | None,
    allowed: list[int] | None,
) -> None:
    vectors = np.repeat(unit_vectors(-(-count // twins), width, seed), twins, axis=0)[:count]
    ids = np.arange(count) * 3
    index, used = laid_out(ids, vectors, method)
    queries = np.concatenate([unit_vectors(2, width, seed + 1), vectors[:1], np.zeros((1, width), np.float32)])
    assert used == IndexMethod(method, method)
    assert_same(index, brute_force(ids, vectors), queries, k, exclude=exclude, allowed=allowed)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_rounded_scores_prove_the_best_of_many_that_hardly_differ(scale: float) -> None:
    # 8 bits tell none of these apart.
    base = unit_vectors(1, 64)
    vectors = stored(base + 1e-3 * unit_vectors(3000, 64, seed=1))
    ids = np.arange(3000)
    index, _ = laid_out(ids, vectors, INT8)
    assert_same(index, brute_force(ids, vectors), np.float32(scale) * vectors[:3], 20)


def test_numbers_that_are_not_finite_spoil_no_other_vector() -> None:
    vectors = stored(unit_vectors(900, 16))
    sound = np.delete(np.arange(900), [3, 4])
    vectors[3], vectors[4, 2] = np.nan, np.inf
    index, _ = laid_out(np.arange(900), vectors, INT8)
    assert_same(index, brute_force(sound, vectors[sound]), vectors[:2], 20, allowed=sound.tolist())


def test_lists_find_nearly_all_of_clustered_vectors() -> None:
    vectors = clustered(6000)
    ids = np.arange(6000) * 2
    index, used = laid_out(ids, vectors, IVF)
    brute, queries = brute_force(ids, vectors), clustered(200, seed=5)
    assert (used.name, used.trained) == (IVF, 6000)
    assert used.recall >= LEAST_RECALL
    assert recall(index, brute, vectors[::37]) >= LEAST_RECALL
    for limits in ({"allowed": list(range(0, 12_000, 14))}, {"allowed": [4, 8]}):
        assert_same(index, brute, queries[:5], 20, **limits)
    scores, hits = index.nearest(queries[:5], 20)
    np.testing.assert_allclose(
        scores, np.einsum("qd,qkd->qk", queries[:5], index.vectors(hits.ravel()).reshape(5, 20, -1)), atol=1e-6
    )
    excluded = hits[0].tolist()
    assert not np.isin(index.nearest(queries[:1], 20, exclude=excluded)[1], excluded).any()


def test_lists_that_hold_too_little_give_way_to_all_vectors() -> None:
    vectors = clustered(3000)
    index, used = laid_out(np.arange(3000), vectors, IVF)
    assert used.name == IVF
    assert_same(index, brute_force(np.arange(3000), vectors), vectors[:3], 1400)


def test_lists_give_way_where_they_miss_too_many() -> None:
    vectors = unit_vectors(6000, 64)
    ids = np.arange(6000)
    index, used = laid_out(ids, vectors, IVF)
    assert (used.name, used.requested, used.is_exact) == (INT8, IVF, True)
    assert used.recall < LEAST_RECALL
    assert used.describe() == f"int8, exact; ivf reached {used.recall:.1%} of the nearest 100"
    assert_same(index, brute_force(ids, vectors), unit_vectors(5, 64, seed=3), 20)


def test_a_method_is_chosen_by_size_unless_it_is_set() -> None:
    assert [choose_method(AUTO, count) for count in (0, APPROXIMATE_FROM - 1, APPROXIMATE_FROM)] == [INT8, INT8, IVF]
    assert {choose_method(method, 10**6) for method in METHODS} == {*METHODS}


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "replace", "remove"]), st.integers(0, 500), st.integers(1, 300)), max_size=5
)


@pytest.mark.parametrize("method", METHODS)
@given(steps=STEPS, seed=st.integers(0, 9))
@settings(max_examples=12)
def test_any_changes_come_to_what_building_comes_to(method: str, steps: list[tuple[str, int, int]], seed: int) -> None:
    vectors = clustered(1500, 16, seed=seed)
    index, _ = laid_out(np.arange(600), vectors[:600], method)
    expected = {number: number for number in range(600)}
    for turn, (verb, first, count) in enumerate(steps):
        ids = (
            np.arange(first, first + count)
            if verb != "add"
            else np.arange(1000 * turn + 700, 1000 * turn + 700 + count)
        )
        if verb == "remove":
            index.remove(ids)
            expected = {each: row for each, row in expected.items() if each not in set(ids.tolist())}
        else:
            rows = (ids * 7 + turn) % len(vectors)
            index.add(ids, vectors[rows])
            expected |= dict(zip(ids.tolist(), rows.tolist(), strict=True))
    ids = np.array(sorted(expected), np.int64)
    brute = brute_force(ids, vectors[[expected[each] for each in ids.tolist()]])
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.vectors(ids), brute.vectors(ids))
    np.testing.assert_allclose(index.moments.moment, brute.moments.moment, atol=1e-3)
    queries = vectors[::50]
    if index.scan.is_exact:
        assert_same(index, brute, queries, 20)
    elif len(ids):
        assert recall(index, brute, queries) >= LEAST_RECALL
