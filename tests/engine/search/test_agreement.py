"""Several seeds: agreement by hand, and the seeds that stand for many."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking, agreement
from resonance_engine.search.selection import find_neighbours
from resonance_engine.search.vector_sets import MOST_SEEDS, representatives
from tests.embeddings import stored, unit_vectors


def test_by_hand() -> None:
    similarity = np.array([[0.9, 0.5, 0.1], [0.1, 0.5, 0.1]])
    np.testing.assert_allclose(agreement(similarity), [0.7, 0.5, 0.1])


def test_one_seed_agrees_with_itself() -> None:
    similarity = np.array([[0.3, -0.2]])
    np.testing.assert_array_equal(agreement(similarity), similarity[0])


def test_average_music_comes_after_what_a_seed_is_near_to() -> None:
    """Between two seeds lies a track that is near to neither; the centroid takes it for the best."""
    angles = np.radians([0, 90, 45, 10, 80])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    index = VectorIndex(np.arange(5), vectors)
    first = {
        combine: find_neighbours(index, vectors[:2], Ranking(1, combine=combine, hubness="none"), [0, 1])[0].id
        for combine in ("agreement", "centroid")
    }
    assert first == {"agreement": 3, "centroid": 2}


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 70))
def test_representatives_are_some_of_the_seeds(count: int, most: int) -> None:
    seeds = unit_vectors(count)
    chosen = representatives(seeds, most)
    assert len(chosen) == len(set(chosen)) == min(count, most)
    assert representatives(seeds, most) == chosen
    assert chosen[: most // 2] == representatives(seeds, most // 2)
    assert min(chosen) >= 0
    assert max(chosen) < count


def test_the_most_typical_comes_first_and_each_group_has_one() -> None:
    groups = np.repeat(np.eye(8, dtype=np.float32)[:3], [5, 3, 1], axis=0)
    chosen = representatives(groups, 3)
    assert chosen == [0, 5, 8]


def test_thousands_of_seeds_are_condensed() -> None:
    seeds = stored(unit_vectors(3000))
    index = VectorIndex(np.arange(3000), seeds)
    assert len(representatives(seeds)) == MOST_SEEDS
    assert [each.id for each in find_neighbours(index, seeds[:2990], Ranking(20), range(2990))] != []
