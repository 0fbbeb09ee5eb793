"""Retrieval metrics against their definitions in the literature, by hand and by brute force."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.evaluation.metrics import (
    average_precision,
    precision_at,
    ranked_relevance,
    recall_at,
    reciprocal_rank,
    same_label,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=12)
METRICS = {
    "R@1": lambda hits: recall_at(hits, 1),
    "R@5": lambda hits: recall_at(hits, 5),
    "P@3": lambda hits: precision_at(hits, 3),
    "AP": average_precision,
    "RR": reciprocal_rank,
}


def ranking(*relevant: int) -> NDArray[np.bool_]:
    return np.array([relevant], bool)


def similarities(count: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random((count, count))


@pytest.mark.parametrize(
    ("hits", "recall_1", "recall_3", "precision_3", "average"),
    [
        (ranking(1, 1, 0, 0), 1, 1, 2 / 3, 1),
        (ranking(0, 0, 1, 0), 0, 1, 1 / 3, 1 / 3),
        # Manning, Raghavan & Schütze, section 8.4: precision at each relevant place, averaged.
        (ranking(1, 0, 1, 0, 0, 1), 1, 1, 2 / 3, (1 / 1 + 2 / 3 + 3 / 6) / 3),
        (ranking(0, 0, 0, 1), 0, 0, 0, 1 / 4),
        # Fewer candidates than k: the missing ones are not relevant.
        (ranking(1), 1, 1, 1 / 3, 1),
    ],
)
def test_by_hand(hits: NDArray[np.bool_], recall_1: float, recall_3: float, precision_3: float, average: float) -> None:
    assert recall_at(hits, 1) == [recall_1]
    assert recall_at(hits, 3) == [recall_3]
    assert precision_at(hits, 3) == pytest.approx([precision_3])
    assert average_precision(hits) == pytest.approx([average])


@pytest.mark.parametrize("name", METRICS)
def test_a_query_that_nothing_answers_has_no_value(name: str) -> None:
    values = METRICS[name](np.array([[True, False], [False, False]]))
    assert np.isnan(values).tolist() == [False, True]


@pytest.mark.parametrize(
    ("hits", "expected"),
    [(ranking(1, 0, 1), 1.0), (ranking(0, 1, 1), 1 / 2), (ranking(0, 0, 0, 1), 1 / 4), (ranking(1), 1.0)],
)
def test_the_reciprocal_rank_is_that_of_the_first_that_is_relevant(hits: NDArray[np.bool_], expected: float) -> None:
    assert reciprocal_rank(hits) == [expected]


def test_nothing_to_rank_has_no_reciprocal_rank() -> None:
    assert np.isnan(reciprocal_rank(np.zeros((2, 0), bool))).all()


class TestRelevance:
    ARTISTS = ("x", "x", "y", "", "")
    ALBUMS = ("a", "a", "a", "a", "b")

    def test_a_track_is_no_neighbour_of_its_own(self) -> None:
        assert not same_label(list(self.ALBUMS)).allowed.diagonal().any()

    def test_under_an_artist_filter_the_artist_is_out_and_the_nameless_stay(self) -> None:
        relevance = same_label(list(self.ALBUMS), filtered=list(self.ARTISTS))
        assert relevance.allowed[0].tolist() == [False, False, True, True, True]
        assert relevance.relevant[0].tolist() == [False, False, True, True, False]
        assert relevance.allowed[3].tolist() == [True, True, True, False, True]

    def test_an_empty_label_matches_nothing(self) -> None:
        relevance = same_label(list(self.ARTISTS))
        assert not relevance.relevant[3:].any()
        assert relevance.allowed[3, 4]

    def test_several_filters_leave_out_what_any_of_them_does(self) -> None:
        genre = same_label(["g"] * 5).without(self.ARTISTS).without(self.ALBUMS)
        assert genre.allowed[2].tolist() == [False, False, False, False, True]
        assert genre.relevant[4].tolist() == [True, True, True, True, False]
        assert not (genre.relevant & ~genre.allowed).any()

    @given(LABELS, LABELS)
    def test_what_is_left_out_takes_no_place(self, labels: list[str], filtered: list[str]) -> None:
        count = min(len(labels), len(filtered))
        labels, filtered = labels[:count], filtered[:count]
        scores = similarities(count)
        hits, candidates = ranked_relevance(scores, same_label(labels, filtered))
        for query in range(count):
            order = sorted(range(count), key=lambda other: -scores[query, other])
            kept = [i for i in order if i != query and not (filtered[i] == filtered[query] != "")]
            expected = [labels[i] == labels[query] != "" for i in kept]
            assert candidates[query] == len(kept)
            assert hits[query].tolist() == expected + [False] * (count - len(kept))


@given(LABELS)
def test_a_perfect_ranking_gives_one(labels: list[str]) -> None:
    relevance = same_label(labels)
    hits, _ = ranked_relevance(relevance.relevant.astype(np.float64), relevance)
    answerable = relevance.relevant.any(axis=1)
    for values in (recall_at(hits, 1), average_precision(hits), reciprocal_rank(hits)):
        assert values[answerable].tolist() == [1.0] * int(answerable.sum())


@given(LABELS, st.randoms(use_true_random=False))
def test_the_order_of_the_tracks_does_not_matter(labels: list[str], random: object) -> None:
    count = len(labels)
    order = list(range(count))
    random.shuffle(order)  # type: ignore[attr-defined]  # it is a Random
    scores = similarities(count)
    hits, _ = ranked_relevance(scores, same_label(labels))
    shuffled, _ = ranked_relevance(scores[np.ix_(order, order)], same_label([labels[i] for i in order]))
    for metric in METRICS.values():
        np.testing.assert_allclose(metric(shuffled), metric(hits)[order])


@given(LABELS)
def test_against_loops(labels: list[str]) -> None:
    hits, _ = ranked_relevance(similarities(len(labels), seed=1), same_label(labels))
    for row, value in zip(hits.tolist(), average_precision(hits), strict=True):
        places = [place for place, hit in enumerate(row, start=1) if hit]
        expected = [sum(row[:place]) / place for place in places]
        assert value == pytest.approx(sum(expected) / len(expected)) if places else math.isnan(value)
