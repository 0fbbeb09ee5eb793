"""Questions are about different albums and tell most where the model doubts; answers teach."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from resonance_engine.taste.features import PairFeatures
from resonance_engine.taste.questions import (
    INFORMATIVE,
    Answer,
    flip_signs,
    judge_controls,
    learn_from_answers,
    next_question,
)
from tests.engine.taste.listeners import SHARES, TRACKS, answer, make_features, taste_for

FEATURES = make_features()
GROUPS = [f"album {place // 5}" for place in range(TRACKS)]


def taught(taste: np.ndarray, count: int, seed: int = 0, base: np.ndarray | None = None) -> list[Answer]:
    rng, answers = np.random.default_rng(seed), list[Answer]()
    for _ in range(count):
        question = next_question(FEATURES, answers, GROUPS, base)
        assert question is not None
        assert len({GROUPS[place] for place in question[:3]}) == 3
        assert set(question[:3]) not in [set(each[:3]) for each in answers]
        answers.append(answer(FEATURES, taste, question, rng))
    return answers


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The share of the ten nearest by one taste among those by another."""
    shares = []
    for track in range(0, TRACKS, 5):
        nearest = [set(np.argsort(-(FEATURES.to_all(track) @ weights))[:11]) - {track} for weights in (one, other)]
        shares.append(len(nearest[0] & nearest[1]) / 10)
    return float(np.mean(shares))


@pytest.mark.parametrize("taste", [{"rhythm": 2.0}, {"era": 2.0}, {"rhythm": 1.5, "era": 1.5}])
def test_ten_answers_bring_lists_nearer_to_the_taste(taste: dict[str, float]) -> None:
    wanted = taste_for(FEATURES, **taste)
    learned = learn_from_answers(FEATURES, taught(wanted, 10))
    assert agreement(wanted, learned.weights) > agreement(wanted, FEATURES.base) + 0.1


def test_forty_answers_of_one_criterion_are_more_than_chance() -> None:
    assert learn_from_answers(FEATURES, taught(taste_for(FEATURES, era=6.0), 40)).verdict == "better"


def test_random_answers_are_foretold_no_better_than_by_a_coin() -> None:
    taught_tastes = [learn_from_answers(FEATURES, taught(taste_for(FEATURES), 30, seed)) for seed in range(8)]
    assert [each.verdict for each in taught_tastes].count("cannot be told") >= 7
    controls = sum(each.controls for each in taught_tastes)
    assert abs(sum(each.after for each in taught_tastes) / controls - 0.5) < 2 * 0.5 / np.sqrt(controls)


def test_every_second_question_after_the_first_is_a_control() -> None:
    kinds = [each.is_control for each in taught(taste_for(FEATURES, era=1.0), 12)]
    assert kinds == [False] * INFORMATIVE + [False, True] * 3


def test_control_answers_change_no_other_question() -> None:
    answers = taught(taste_for(FEATURES, era=1.0), 12)
    assert answers[-1].is_control
    turned = [each._replace(chosen=each.other, other=each.chosen) if each.is_control else each for each in answers]
    assert next_question(FEATURES, answers, GROUPS) == next_question(FEATURES, turned, GROUPS)
    # Nor do other answers change which control is put.
    turned = [each._replace(chosen=each.other, other=each.chosen) for each in answers[:7]]
    assert next_question(FEATURES, answers[:7], GROUPS) == next_question(FEATURES, turned, GROUPS)


def test_the_same_answers_lead_to_the_same_question_and_a_skipped_one_to_another() -> None:
    for count in (3, 7):
        answers = taught(taste_for(FEATURES, era=1.0), count)
        question = next_question(FEATURES, answers, GROUPS)
        assert question == next_question(FEATURES, answers, GROUPS)
        assert question is not None
        assert question.is_control == (count == 7)
        assert next_question(FEATURES, answers, GROUPS, skipped=[question]) != question


@pytest.mark.parametrize("count", [0, 7])
def test_next_question_is_none_below_three_albums(count: int) -> None:
    groups = [f"album {place % 2}" for place in range(TRACKS)]
    assert next_question(FEATURES, taught(taste_for(FEATURES), count), groups) is None


def test_lists_are_what_answers_begin_from() -> None:
    base = taste_for(FEATURES, rhythm=1.0)
    np.testing.assert_allclose(learn_from_answers(FEATURES, [], base).weights, base, atol=1e-6)


@pytest.mark.parametrize("values", [[], [1.0], [3.0, -1.0, 2.0], [1.0] * 6, [2.0, 1.0, -0.5, 4.0, 0.3, 1.0, -2.0]])
def test_the_chance_of_a_sum_is_that_of_all_signs(values: list[float]) -> None:
    signs = np.array([*product((-1, 1), repeat=len(values))]).reshape(2 ** len(values), -1)
    expected = np.mean(signs @ values >= np.sum(values) - 1e-9)
    assert flip_signs(np.array(values)) == pytest.approx(expected, abs=0.025)


def test_verdicts_of_control_answers_by_margins() -> None:
    right = np.array([2.0, 1.5, 3.0, 0.8, 2.2, 1.0, 1.7])
    assert judge_controls(-right, right) == "better"
    assert judge_controls(right, -right) == "worse"
    assert judge_controls(right, right) == "cannot be told"
    assert judge_controls(-right[:5], right[:5]) == "cannot be told"
    assert judge_controls(right[:0], right[:0]) == "cannot be told"


def test_a_taste_that_the_weights_have_already_is_not_better_for_its_scale() -> None:
    for base in (None, taste_for(FEATURES, rhythm=0.5)):
        wanted = 6 * (FEATURES.base if base is None else base)
        verdicts = [learn_from_answers(FEATURES, taught(wanted, 30, seed, base), base).verdict for seed in range(8)]
        assert verdicts.count("better") <= 1


def test_no_question_is_about_a_track_and_its_copy() -> None:
    half = make_features(40)
    doubled = PairFeatures.create(
        {name: np.concatenate([each, each]) for name, each in half.facets.items()},
        SHARES,
        np.tile(half.years, 2),
        np.concatenate([half.axes, half.axes]),
    )
    groups = [f"album {place}" for place in range(80)]
    for count in (0, 7):
        answers = [Answer(place, place + 1, place + 2) for place in range(count)]
        skipped: list[Answer] = []
        for _ in range(20):
            question = next_question(doubled, answers, groups, skipped=skipped)
            assert question is not None
            assert len({place % 40 for place in question[:3]}) == 3
            skipped.append(question)


def test_tracks_without_a_group_are_in_no_question() -> None:
    groups = [None if place % 3 else group for place, group in enumerate(GROUPS)]
    for count in (3, 7):
        question = next_question(FEATURES, taught(taste_for(FEATURES), count), groups)
        assert question is not None
        assert None not in [groups[place] for place in question[:3]]
