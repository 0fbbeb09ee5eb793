"""Questions on a track and two others, "which of these is more like this?": the next one, and what answers teach."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.taste.fit import FittedWeights, choice_losses, fit_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.evaluation.comparison import Verdict
    from resonance_engine.taste.features import PairFeatures

    Array = NDArray[np.float64]

RIDGE = 10.0  # of the fit to answers; chosen on simulated listeners
ANCHORS = 48  # tracks that a question may be about, of which the best is taken
CANDIDATES = 16  # tracks beside each
NEAREST = 200  # of which these are: two that are far away are hard to compare
FOLDS = 10
FEWEST_ANSWERS = 10
DOUBT = 0.02  # the chance that an unchanged taste would do as well


class Answer(NamedTuple):
    """The tracks of an answered question, by position: which it was about, the more alike one and the other."""

    anchor: int
    chosen: int
    other: int


@dataclass(frozen=True, eq=False)
class TaughtTaste:
    """Weights (p,) by answers, and how many of them the weights of the other answers foretell, `before` the unchanged.

    `verdict` is "better" where more are foretold than by chance, by a sign test of the answers that differ.
    """

    weights: Array
    answers: int
    before: int
    after: int
    verdict: Verdict


def fit_answers(features: PairFeatures, answers: Sequence[Answer], base: Array | None = None) -> FittedWeights:
    """Fit weights to answers, beginning with the base weights or with others, such as those of lists."""
    return fit_weights(
        answer_choices(features, answers), features.base if base is None else base, RIDGE * features.ridge
    )


def answer_choices(features: PairFeatures, answers: Sequence[Answer]) -> Array:
    """Return answers as choices (n, 2, p), the chosen track first."""
    if not answers:
        return np.zeros((0, 2, len(features.base)))
    anchor, chosen, other = np.array(answers, np.intp).T
    return np.stack([features.of_pairs(anchor, chosen), features.of_pairs(anchor, other)], axis=1)


def learn_from_answers(features: PairFeatures, answers: Sequence[Answer], base: Array | None = None) -> TaughtTaste:
    """Learn from answers, and judge it by how many of them are foretold from the others, ten parts in turn."""
    base = features.base if base is None else base
    choices = answer_choices(features, answers)
    weights = fit_weights(choices, base, RIDGE * features.ridge).weights
    fold = np.random.default_rng(0).permutation(len(answers)) % FOLDS
    before = choice_losses(choices, base) < np.log(2)
    after = np.zeros(len(answers), bool)
    for part in range(min(FOLDS, len(answers))):
        test = fold == part
        after[test] = choice_losses(
            choices[test], fit_weights(choices[~test], base, RIDGE * features.ridge).weights
        ) < np.log(2)
    return TaughtTaste(weights, len(answers), int(before.sum()), int(after.sum()), judge_answers(before, after))


def judge_answers(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Verdict:
    """Return the verdict of a sign test on answers that only one of two foretells, and of chance itself."""
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    right = int(after.sum())
    if len(after) >= FEWEST_ANSWERS:
        if tail(won, won + lost) <= DOUBT and tail(right, len(after)) <= DOUBT:
            return "better"
        if tail(lost, won + lost) <= DOUBT:
            return "worse"
    return "cannot be told"


def tail(successes: int, trials: int) -> float:
    """Return the chance of so many successes or more among fair trials."""
    return float(sum(comb(trials, each) for each in range(successes, trials + 1)) / 2**trials)


def next_question(
    features: PairFeatures, fitted: FittedWeights, known: Sequence[Answer], groups: Sequence[str]
) -> Answer | None:
    """Return the question whose answer tells most, the likelier answer first; None where no three tracks are apart.

    Expected information of an answer under the posterior, p (1 - p) times the variance of the difference of both
    scores (Houlsby et al. 2011, to second order). Tracks of one question are of different `groups`, such as albums; it
    is the same each time for the same answers.
    """
    rng = np.random.default_rng(len(known))
    count = len(features.years)
    best, most = None, 0.0
    used = {frozenset(each) for each in known}
    for anchor in rng.permutation(count)[:ANCHORS].tolist():
        values = features.to_all(anchor)
        ranked = np.argsort(-(values @ fitted.weights), kind="stable")[: min(NEAREST, count)]
        others = [each for each in rng.permutation(ranked).tolist() if groups[each] != groups[anchor]][:CANDIDATES]
        pairs = [
            (one, other)
            for place, one in enumerate(others)
            for other in others[place + 1 :]
            if groups[one] != groups[other] and frozenset((anchor, one, other)) not in used
        ]
        if not pairs:
            continue
        one, other = np.array(pairs).T
        difference = values[one] - values[other]
        chances = 1 / (1 + np.exp(-np.clip(difference @ fitted.weights, -30, 30)))
        variance = np.einsum("mp,pq,mq->m", difference, fitted.covariance, difference)
        information = chances * (1 - chances) * variance
        place = int(information.argmax())
        if information[place] > most:
            most, best = float(information[place]), Answer(anchor, *pairs[place])
    return best
