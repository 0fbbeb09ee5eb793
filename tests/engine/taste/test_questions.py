"""Questions are about different albums and tell most where the model doubts; answers teach."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from resonance_engine.taste.questions import (
    Answer,
    fit_answers,
    judge_answers,
    learn_from_answers,
    next_question,
    tail,
)
from tests.engine.taste.listeners import TRACKS, answer, make_features, taste_for

FEATURES = make_features()
GROUPS = [f"album {place // 5}" for place in range(TRACKS)]


def taught(taste: np.ndarray, count: int) -> list[Answer]:
    rng, answers = np.random.default_rng(0), list[Answer]()
    for _ in range(count):
        question = next_question(FEATURES, fit_answers(FEATURES, answers), answers, GROUPS)
        assert question is not None
        assert len({GROUPS[place] for place in question}) == 3
        assert set(question) not in [set(each) for each in answers]
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


def test_random_answers_give_no_verdict() -> None:
    assert learn_from_answers(FEATURES, taught(taste_for(FEATURES), 30)).verdict == "cannot be told"


def test_the_same_answers_lead_to_the_same_question() -> None:
    answers = taught(taste_for(FEATURES, era=1.0), 3)
    fitted = fit_answers(FEATURES, answers)
    assert next_question(FEATURES, fitted, answers, GROUPS) == next_question(FEATURES, fitted, answers, GROUPS)


def test_there_is_no_question_on_fewer_than_three_albums() -> None:
    groups = [f"album {place % 2}" for place in range(TRACKS)]
    assert next_question(FEATURES, fit_answers(FEATURES, []), [], groups) is None


def test_lists_are_what_answers_begin_from() -> None:
    base = taste_for(FEATURES, rhythm=1.0)
    np.testing.assert_allclose(learn_from_answers(FEATURES, [], base).weights, base, atol=1e-6)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (0, 5), (3, 5), (5, 5), (15, 20)])
def test_the_tail_is_that_of_fair_coins(successes: int, trials: int) -> None:
    outcomes = [bin(number).count("1") for number in range(2**trials)] if trials < 12 else None
    expected = (
        np.mean([heads >= successes for heads in outcomes])
        if outcomes
        else 1 - sum(comb(trials, each) for each in range(successes)) / 2**trials
    )
    assert tail(successes, trials) == pytest.approx(expected)


def test_fewer_foretold_answers_are_worse() -> None:
    before, after = np.ones(20, bool), np.arange(20) < 8
    assert judge_answers(before, after) == "worse"
    assert judge_answers(before[:9], after[:9]) == "cannot be told"
