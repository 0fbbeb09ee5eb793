"""What lists teach: listeners whose taste is known are understood, and one without a pattern is not."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.taste.lists import TrackList, group_lists, learn_from_lists, list_pairs, make_choices, score_list
from tests.engine.taste.listeners import SHARES, make_features, make_lists, taste_for

FEATURES = make_features()


@pytest.mark.parametrize("name", ["rhythm", "era"])
def test_a_listener_with_one_criterion_is_understood(name: str) -> None:
    learned = learn_from_lists(FEATURES, make_lists(FEATURES, taste_for(FEATURES, **{name: 3.0}), 12))
    assert learned.verdict == "better"
    assert learned.precision[1].value > learned.precision[0].value + 0.1
    assert FEATURES.names[int(np.abs(learned.weights).argmax())] == name


def test_a_mixture_is_understood() -> None:
    learned = learn_from_lists(FEATURES, make_lists(FEATURES, taste_for(FEATURES, rhythm=2.0, era=2.0), 12))
    assert learned.verdict == "better"
    assert {FEATURES.names[place] for place in np.abs(learned.weights).argsort()[-2:]} == {"rhythm", "era"}


@pytest.mark.parametrize("taste", [{}, {"timbre": 2.4, "rhythm": 0.6}])
def test_a_listener_without_a_pattern_or_like_the_model_changes_nothing(taste: dict[str, float]) -> None:
    learned = learn_from_lists(FEATURES, make_lists(FEATURES, taste_for(FEATURES, **taste), 12))
    assert learned.verdict == "cannot be told"


@pytest.mark.parametrize("lists", [1, 2, 7])
def test_few_lists_give_no_verdict(lists: int) -> None:
    learned = learn_from_lists(FEATURES, make_lists(FEATURES, taste_for(FEATURES, rhythm=3.0), lists))
    assert (learned.lists, learned.verdict) == (lists, "cannot be told")


def test_it_is_the_same_every_time() -> None:
    lists = make_lists(FEATURES, taste_for(FEATURES, era=1.0), 9)
    one, other = learn_from_lists(FEATURES, lists), learn_from_lists(FEATURES, lists)
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.difference == other.difference


def test_choices_are_of_the_list_among_tracks_that_are_not() -> None:
    places = np.array([3, 9, 40], np.intp)
    choices = make_choices(FEATURES, [TrackList(places)])
    pairs = {(one, other) for one in places for other in places if one != other}
    inside = {FEATURES.of_pairs(np.array([one]), np.array([other])).tobytes() for one, other in pairs}
    assert {row[0].tobytes() for row in choices.values} == inside
    assert not inside & {row.tobytes() for choice in choices.values for row in choice[1:]}


def test_only_neighbours_of_a_session_belong_together() -> None:
    assert list_pairs(3, adjacent=True).tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert len(list_pairs(4, adjacent=False)) == 12
    assert len(list_pairs(1, adjacent=False)) == 0


def test_two_files_of_one_list_count_as_one() -> None:
    lists = make_lists(FEATURES, taste_for(FEATURES, rhythm=3.0), 4)
    doubled = [*lists, *(TrackList(each.places[::-1][1:]) for each in lists)]
    assert group_lists(doubled).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert learn_from_lists(FEATURES, doubled).verdict == "cannot be told", "four lists are too few"


def test_sessions_and_lists_are_learned_together() -> None:
    places = np.array([3, 9, 40], np.intp)
    choices = make_choices(FEATURES, [TrackList(places), TrackList(places, adjacent=True)])
    assert np.bincount(choices.list_of).tolist() == [6, 4]


def test_scores_are_those_of_a_ranking_by_hand() -> None:
    places = np.array([1, 5, 8], np.intp)
    [found, *_] = score_list(FEATURES, places, [FEATURES.base])
    scores = FEATURES.to_all(1) @ FEATURES.base
    order = [each for each in np.argsort(-scores) if each != 1]
    ranks = sorted(order.index(each) + 1 for each in (5, 8))
    assert found[0, 1] == pytest.approx(np.mean([1 / ranks[0], 2 / ranks[1]]))
    assert found[0, 0] == sum(rank <= 10 for rank in ranks) / 2


def test_the_base_weights_give_the_similarity_of_whole_embeddings() -> None:
    raw = sum(share * FEATURES.facets[name] @ FEATURES.facets[name][4] for name, share in SHARES.items())
    scores = FEATURES.to_all(4) @ FEATURES.base
    np.testing.assert_allclose(scores - scores.mean(), raw - raw.mean(), atol=1e-5)
