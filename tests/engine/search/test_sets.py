"""Sets of tracks against sets of tracks, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.search.vector_sets import set_similarity
from tests.embeddings import unit_vectors


@given(st.integers(1, 6), st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 99))
def test_each_track_is_compared_with_the_nearest_of_the_other_set(count: int, owners: list[int], seed: int) -> None:
    seeds, members = unit_vectors(count, seed=seed), unit_vectors(len(owners), seed=seed + 100)
    found, scores = set_similarity(seeds, members, np.array(owners))
    assert found.tolist() == sorted(set(owners))
    for owner, score in zip(found, scores, strict=True):
        own = [vector for vector, of in zip(members, owners, strict=True) if of == owner]
        forth = np.mean([max(float(one @ other) for other in own) for one in seeds])
        back = np.mean([max(float(one @ other) for other in seeds) for one in own])
        assert score == pytest.approx(min(forth, back), abs=1e-6)


def test_a_set_is_closest_to_itself_though_its_mean_is_far_from_its_tracks() -> None:
    poles = np.eye(4, dtype=np.float32)
    middle = np.full((4, 4), 0.5, np.float32)
    found, scores = set_similarity(poles, np.concatenate([middle, poles]), np.repeat([7, 3], 4))
    assert dict(zip(found.tolist(), scores.tolist(), strict=True)) == {3: 1.0, 7: 0.5}


def test_nothing_is_close_to_nothing() -> None:
    nothing = np.empty((0, 8), np.float32)
    for seeds, members in ((nothing, unit_vectors(2)), (unit_vectors(2), nothing)):
        found, scores = set_similarity(seeds, members, np.zeros(len(members), np.int64))
        assert (len(found), len(scores)) == (0, 0)
