"""How many neighbours two models have in common, against sorting all similarities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.vector_sets import Overlap, neighbour_overlap
from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from resonance_engine.store.records import Matrix


def expected(old: Matrix, new: Matrix, rows: list[int], count: int) -> float:
    kept = []
    for row in rows:
        found = []
        for vectors in (old, new):
            scores = vectors.astype(np.float64) @ vectors[row].astype(np.float64)
            found.append([each for each in np.argsort(-scores) if each != row][:count])
        kept.append(len(np.intersect1d(*found)))
    return float(np.mean(kept))


@given(common=st.integers(2, 60), alone=st.integers(0, 5), neighbours=st.integers(1, 20), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_it_is_what_sorting_gives(common: int, alone: int, neighbours: int, seed: int) -> None:
    """Each index holds recordings of its own, too, which count for nothing."""
    old, new = (unit_vectors(common + alone, 8, 2 * seed + n) for n in (0, 1))
    new[:common] += 2 * old[:common]
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    same = {3 * row + 1: 1000 - row for row in range(common)}
    ids = np.array([*same, *range(5000, 5000 + alone)])
    others = np.array([*same.values(), *range(6000, 6000 + alone)])
    found = neighbour_overlap(VectorIndex(ids, old), VectorIndex(others, new), same, neighbours, sample=1000)
    count = min(neighbours, common - 1)
    # The other index is in the opposite order of ids: without equal scores, that makes no difference.
    kept = expected(stored(old[:common]), stored(new[:common]), list(range(common)), count)
    assert found == Overlap(pytest.approx(kept), count, common)


def test_the_same_model_keeps_everything_and_the_sample_is_bounded() -> None:
    vectors = unit_vectors(500)
    index = VectorIndex(np.arange(500), vectors)
    assert neighbour_overlap(index, index, {n: n for n in range(500)}) == Overlap(20.0, 20, 200)


def test_copies_of_one_recording() -> None:
    """More of them than there is room for: the track itself is still none of its neighbours."""
    index = VectorIndex(np.arange(30), np.repeat(unit_vectors(1), 30, axis=0))
    found = neighbour_overlap(index, index, {n: n for n in range(30)}, neighbours=5)
    assert found == Overlap(5.0, 5, 30)


@pytest.mark.parametrize("same", [{}, {1: 1}])
def test_too_few_to_have_neighbours(same: dict[int, int]) -> None:
    index = VectorIndex(np.arange(3), unit_vectors(3))
    assert neighbour_overlap(index, index, same) is None
