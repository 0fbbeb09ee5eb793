"""Ranking by closeness, sharpened by feedback and spread by diversity, against what brute force says."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking, query, rank_by_similarity, refine
from resonance_engine.search.selection import CandidateTrack, find_neighbours, mmr_order, select
from resonance_engine.search.vector_sets import apply_feedback, centroid
from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.search.selection import Neighbour

COUNT = 120
IDS = np.arange(COUNT, dtype=np.int64) * 3 + 7
VECTORS = stored(unit_vectors(COUNT))
INDEX = VectorIndex(IDS, VECTORS)
SEEDS = unit_vectors(3, seed=1)
PLAIN = Ranking(hubness="none", combine="centroid")


def circle(*degrees: float) -> NDArray[np.float32]:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def greedy(relevance: NDArray[np.floating], vectors: NDArray[np.float32], count: int, lambda_div: float) -> list[int]:
    """The first `count` positions where each that comes is selected."""
    selected: list[int] = []
    for position in mmr_order(relevance, vectors, lambda_div, selected):
        if len(selected) == count:
            break
        selected.append(position)
    return selected


def brute_force(query: NDArray[np.float32], allowed: set[int]) -> list[int]:
    scores = VECTORS.astype(np.float64) @ query.astype(np.float64)
    return [int(IDS[i]) for i in np.argsort(-scores, kind="stable") if int(IDS[i]) in allowed]


def accepted(ranking: Ranking, seeds: NDArray[np.float32], exclude: set[int], refused: set[int]) -> list[Neighbour]:
    """What is selected where a filter refuses some tracks."""
    asked = refine(query(INDEX, seeds, exclude), ranking)

    def load(ids: list[int]) -> dict[int, CandidateTrack]:
        return {each: CandidateTrack(rejection="refused" if each in refused else "") for each in ids}

    return select(partial(rank_by_similarity, asked, ranking), ranking, load=load).hits


SOME_IDS = st.sets(st.sampled_from([int(each) for each in IDS]))


@given(count=st.integers(1, COUNT + 10), exclude=SOME_IDS, refused=SOME_IDS, seeds=st.integers(1, 3))
def test_the_nearest_that_may_appear_and_as_many_as_there_are(
    count: int, exclude: set[int], refused: set[int], seeds: int
) -> None:
    ranking = Ranking(count, combine="centroid", hubness="none")
    found = accepted(ranking, SEEDS[:seeds], exclude, refused)
    allowed = {int(each) for each in IDS} - exclude - refused
    assert [each.id for each in found] == brute_force(centroid(SEEDS[:seeds]), allowed)[:count]
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_an_empty_index_has_no_neighbours() -> None:
    empty = VectorIndex(IDS[:0], VECTORS[:0])
    assert find_neighbours(empty, SEEDS, Ranking(5, prf=3, rerank="mmr")) == []


def test_the_score_is_the_cosine() -> None:
    (best,) = find_neighbours(INDEX, VECTORS[4:5], Ranking(1, hubness="none"))
    assert best.id == IDS[4]
    assert best.score == pytest.approx(1.0, abs=1e-3)


class TestFeedback:
    def test_the_formula(self) -> None:
        moved = apply_feedback(circle(0)[0], circle(90, 90))
        np.testing.assert_allclose(moved, np.array([1, 2]) / np.sqrt(5), atol=1e-6)

    def test_no_hits_change_nothing(self) -> None:
        np.testing.assert_allclose(apply_feedback(circle(30)[0], circle()), circle(30)[0], atol=1e-6)
        assert find_neighbours(INDEX, SEEDS, Ranking(9, prf=0)) == find_neighbours(INDEX, SEEDS, Ranking(9))

    def test_the_first_hits_that_may_appear_move_the_query(self) -> None:
        excluded = {each.id for each in find_neighbours(INDEX, SEEDS, replace(PLAIN, count=2))}
        allowed = {int(each) for each in IDS} - excluded
        seed = centroid(SEEDS)
        first = brute_force(seed, allowed)[:4]
        moved = apply_feedback(seed, INDEX.vectors(first))
        found = find_neighbours(INDEX, SEEDS, replace(PLAIN, count=10, prf=4), excluded)
        assert [each.id for each in found] == brute_force(moved, allowed)[:10]
        assert [each.id for each in found] != brute_force(seed, allowed)[:10]

    def test_several_seeds_are_asked_for_in_their_middle(self) -> None:
        np.testing.assert_allclose(centroid(circle(10, 50)), circle(30)[0], atol=1e-6)

    def test_seeds_that_cancel_out_give_no_direction_and_no_nan(self) -> None:
        np.testing.assert_array_equal(centroid(np.array([[1, 0], [-1, 0]], np.float32)), [0, 0])


class TestDiversity:
    QUERY = circle(0)[0]
    CANDIDATES = circle(5, 6, 40, -80)

    def order(self, lambda_div: float, count: int = 4) -> list[int]:
        return greedy(self.CANDIDATES @ self.QUERY, self.CANDIDATES, count, lambda_div)

    def test_zero_is_the_plain_ranking(self) -> None:
        assert self.order(0.0) == [0, 1, 2, 3]
        plain = find_neighbours(INDEX, SEEDS, Ranking(20))
        assert find_neighbours(INDEX, SEEDS, Ranking(20, rerank="mmr", lambda_div=0.0)) == plain

    def test_one_takes_what_differs_most_from_all_chosen(self) -> None:
        # 5 degrees first, as the nearest; -80 is 85 away from it, 40 then 35 from the nearer of both, 6 last.
        assert self.order(1.0) == [0, 3, 2, 1]

    def test_by_hand(self) -> None:
        # After 5 degrees, with weights of one half: 6 -> (.995 - 1.000), 40 -> (.766 - .819), -80 -> (.174 - .087).
        assert self.order(0.5, 2) == [0, 3]
        # With 0.1: 6 -> .9 * .9945 - .1 * .9998 = .795; 40 -> .608; -80 -> .148.
        assert self.order(0.1, 2) == [0, 1]

    @given(st.integers(0, 30), st.floats(0, 1), st.integers(0, 40))
    def test_it_is_the_greedy_choice(self, size: int, lambda_div: float, count: int) -> None:
        vectors = VECTORS[:size]
        relevance = vectors @ SEEDS[0]
        chosen: list[int] = []
        while len(chosen) < min(size, count):
            rest = [i for i in range(size) if i not in chosen]

            def marginal(i: int) -> float:
                similar = max((float(vectors[i] @ vectors[j]) for j in chosen), default=0.0)
                return (1 - lambda_div) * float(relevance[i]) - lambda_div * similar

            best = greedy(relevance, vectors, len(chosen) + 1, lambda_div)[-1]
            assert marginal(best) == pytest.approx(max(map(marginal, rest)), abs=1e-5)
            chosen.append(best)
        assert greedy(relevance, vectors, count, lambda_div) == chosen

    def test_scores_stay_those_of_the_query(self) -> None:
        scores = {each.id: each.score for each in find_neighbours(INDEX, SEEDS, Ranking(COUNT))}
        spread = find_neighbours(INDEX, SEEDS, Ranking(10, rerank="mmr", lambda_div=0.9))
        assert len(spread) == 10
        assert all(scores[each.id] == each.score for each in spread)
        assert [each.id for each in spread] != [each.id for each in find_neighbours(INDEX, SEEDS, Ranking(10))]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "at least 1, not 0"),
        ({"prf": -1}, "0 or more, not -1"),
        ({"rerank": "magic"}, "none, mmr, not 'magic'"),
        ({"combine": "magic"}, "agreement, centroid, not 'magic'"),
        ({"hubness": "magic"}, "mutual_proximity, none, not 'magic'"),
        ({"min_score": 2.0}, "between -1 and 1, not 2.0"),
        ({"lambda_div": 1.1}, "between 0"),
        ({"lambda_div": float("nan")}, "between 0"),
    ],
)
def test_a_ranking_that_cannot_be_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Ranking(**wrong)


def test_a_weight_of_diversity_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
        greedy(np.zeros(1, np.float32), circle(0), 1, 1.5)


def test_hubs_are_corrected_by_default_and_the_same_sound_stays_the_same() -> None:
    seed = VECTORS[4:5]
    corrected, plain = (
        find_neighbours(INDEX, seed, Ranking(COUNT, hubness=way)) for way in ("mutual_proximity", "none")
    )
    assert corrected == find_neighbours(INDEX, seed, Ranking(COUNT))
    assert corrected != plain
    assert corrected[0] == (IDS[4], 1.0)
    assert {each.id for each in corrected} == {each.id for each in plain}


def test_a_few_tracks_are_not_corrected() -> None:
    few = VectorIndex(IDS[:49], VECTORS[:49])
    assert find_neighbours(few, SEEDS, Ranking(9)) == find_neighbours(few, SEEDS, Ranking(9, hubness="none"))


def test_a_least_score() -> None:
    every = find_neighbours(INDEX, SEEDS, Ranking(COUNT))
    assert find_neighbours(INDEX, SEEDS, Ranking(COUNT, min_score=every[7].score)) == every[:8]
