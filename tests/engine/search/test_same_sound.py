"""What counts as the same sound depends on how far apart the tracks of a library are."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.constraints import Caps
from resonance_engine.search.names import TrackMetadata
from resonance_engine.search.ranking import Ranking, query, rank_by_similarity, refine
from resonance_engine.search.same_sound import measure_spread
from resonance_engine.search.selection import CandidateTrack, SelectionRules, select
from tests.embeddings import unit_vectors

COUNT, WIDTH = 2000, 64


def library(lean: float) -> VectorIndex:
    """Vectors that have so much of one direction in common; the second is nearly the first."""
    vectors = unit_vectors(COUNT, WIDTH, seed=3)
    vectors[1] = vectors[0] + 0.1 * vectors[2]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:, 0] += lean
    return VectorIndex(np.arange(COUNT), (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def list_all(index: VectorIndex, spread: float) -> set[int]:
    """The tracks of one length that are listed beside the first."""
    ranking = Ranking(COUNT, hubness="none")
    rules = SelectionRules(Caps(), versions=False, spread=spread)

    def load(ids: list[int]) -> dict[int, CandidateTrack]:
        return {each: CandidateTrack(TrackMetadata("", "", f"title {each}", seconds=200)) for each in ids}

    ready = refine(query(index, index.vectors([0])), ranking)
    return {hit.id for hit in select(partial(rank_by_similarity, ready, ranking), ranking, rules, load).hits}


@pytest.mark.parametrize("lean", [0.0, 1.0, 4.0])
def test_only_the_same_sound_is_left_out(lean: float) -> None:
    index = library(lean)
    mean = index.moments.mean
    assert mean == pytest.approx(lean**2 / (1 + lean**2), abs=0.01)
    assert measure_spread(index.moments) == pytest.approx(1 - mean, abs=0.02)
    assert list_all(index, measure_spread(index.moments)) == set(range(COUNT)) - {1}


def test_without_it_a_network_with_much_in_common_leaves_one_track() -> None:
    assert list_all(library(6.0), 1.0) == {0}


@pytest.mark.parametrize(("count", "believed"), [(0, 0.0), (1, 0.0), (2, 1 / 11), (20, 0.5)])
def test_spread_of_few_tracks_is_shrunk_towards_one(count: int, believed: float) -> None:
    vectors = np.tile(np.array([[0.6, 0.8]], np.float32), (count, 1))
    index = VectorIndex(np.arange(count), vectors) if count else VectorIndex(np.arange(0), np.empty((0, 2), np.float32))
    assert measure_spread(index.moments) == pytest.approx(1 - believed, abs=1e-3)
