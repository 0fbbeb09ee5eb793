"""Questions on a track and two others, "which of these is more like this?": the next one, and what answers teach.

Most are those whose answer tells most. Which these are depends on the answers before, and so even the tracks of later
questions give away what earlier ones were answered: answers of a coin are foretold from the others in 60 % of the
cases. So some are control questions, drawn at random, and what the other answers taught is judged by these alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.taste.fit import FittedWeights, fit_weights

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
INFORMATIVE = 6  # questions at first, before every second one is a control; chosen on simulated listeners
DOUBT = 0.02  # the chance that an unchanged taste, or a coin, would do as well
DRAWS = 4095  # of signs
COPY = 0.95  # mean cosine of the facets, from which on two tracks are taken for one recording
LARGEST_MARGIN = 3.0  # of a control answer in the test against a coin: none may decide alone


class Answer(NamedTuple):
    """The tracks of an answered question, by position: which it was about, the more alike one and the other."""

    anchor: int
    chosen: int
    other: int
    is_control: bool = False


@dataclass(frozen=True, eq=False)
class TaughtTaste:
    """Weights (p,) by all answers, and how many of the `controls` the weights of the others foretell.

    `before` is how many the unchanged weights do. `verdict` is "better" where the controls are likelier by what the
    others taught than by the unchanged weights and by a coin, and as many are foretold; "worse" where fewer are.
    """

    weights: Array
    answers: int
    controls: int
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
    anchor, chosen, other = np.array([each[:3] for each in answers], np.intp).T
    return np.stack([features.of_pairs(anchor, chosen), features.of_pairs(anchor, other)], axis=1)


def learn_from_answers(features: PairFeatures, answers: Sequence[Answer], base: Array | None = None) -> TaughtTaste:
    """Learn from answers, and judge it by the control answers and what the others taught."""
    base = features.base if base is None else base
    controls, others = ([each for each in answers if each.is_control == kind] for kind in (True, False))
    choices = answer_choices(features, controls)
    # The scale of the base, on which no ranking depends, is fitted to the same answers: else it would decide.
    unchanged = fit_weights(answer_choices(features, others), base, np.inf).weights
    learned = fit_answers(features, others, base).weights
    before, after = (choice_margins(choices, weights) for weights in (unchanged, learned))
    return TaughtTaste(
        fit_answers(features, answers, base).weights,
        len(answers),
        len(controls),
        int((before > 0).sum()),
        int((after > 0).sum()),
        judge_controls(before, after),
    )


def choice_margins(choices: Array, weights: Array) -> Array:
    """Return the logits (n,) by which the chosen tracks of choices (n, 2, p) are the likelier ones."""
    return np.asarray((choices[:, 0] - choices[:, 1]) @ weights)


def judge_controls(before: Array, after: Array) -> Verdict:
    """Return the verdict on weights by margins (n,) of control answers before and after; fewer than 6 never suffice."""
    gain = np.logaddexp(0, -before) - np.logaddexp(0, -after)  # of the log-likelihood
    clipped = np.clip(after, -LARGEST_MARGIN, LARGEST_MARGIN)
    more = (after > 0).astype(float) - (before > 0)
    if more.sum() >= 0 and flip_signs(gain) <= DOUBT and flip_signs(clipped) <= DOUBT:
        return "better"
    return "worse" if flip_signs(-more) <= DOUBT else "cannot be told"


def flip_signs(values: Array) -> float:
    """Return the chance that the sum of values (n,) is as large with random signs (Fisher's randomisation test)."""
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (DRAWS, len(values)))
    return float((1 + (signs @ values >= values.sum() - 1e-9).sum()) / (1 + DRAWS))


def next_question(
    features: PairFeatures,
    answers: Sequence[Answer],
    groups: Sequence[str | None],
    base: Array | None = None,
    skipped: Sequence[Answer] = (),
) -> Answer | None:
    """Return the next question; None where no three tracks are apart, or all such were compared.

    Tracks of one question are of different `groups`, such as albums; one whose group is None is in no question. It is
    the same each time for the same answers.
    """
    base = features.base if base is None else base
    rng = np.random.default_rng(len(answers) + len(skipped))
    used = {frozenset(each[:3]) for each in (*answers, *skipped)}
    is_control = len(answers) >= INFORMATIVE and bool(len(answers) % 2)
    # Of the controls nothing, not even by what is put next, may enter what is tested on them.
    fitted = None if is_control else fit_answers(features, [each for each in answers if not each.is_control], base)
    while True:
        question = (
            choose_informative(features, fitted, groups, used, rng)
            if fitted
            else draw_control(features, base, groups, used, rng)
        )
        if question is None or not has_copies(features, question):
            return question
        used.add(frozenset(question[:3]))


def has_copies(features: PairFeatures, question: Answer) -> bool:
    """Return whether two tracks of a question are one recording, by all their facets: the answer would say nothing."""
    one, other = np.array([*combinations(question[:3], 2)], np.intp).T
    cosines = features.measure(one, other)[:, : len(features.facets)]
    return bool((cosines.mean(axis=1) >= COPY).any())


def draw_control(
    features: PairFeatures,
    base: Array,
    groups: Sequence[str | None],
    used: set[frozenset[int]],
    rng: np.random.Generator,
) -> Answer | None:
    """Draw a question at random, on two of the nearest by the base weights: what answers taught has no part in it."""
    for anchor in draw_anchors(groups, rng):
        others = draw_others(features.to_all(anchor) @ base, anchor, groups, rng)
        for other in others[1:]:
            if groups[others[0]] != groups[other] and frozenset((anchor, others[0], other)) not in used:
                return Answer(anchor, others[0], other, is_control=True)
    return None


def draw_anchors(groups: Sequence[str | None], rng: np.random.Generator) -> list[int]:
    """Draw an order of the tracks that questions may be about."""
    anchors = np.array([place for place, group in enumerate(groups) if group is not None], np.intp)
    return [int(each) for each in rng.permutation(anchors)]


def draw_others(scores: Array, anchor: int, groups: Sequence[str | None], rng: np.random.Generator) -> list[int]:
    """Draw tracks of other groups from those nearest to one by the scores (n,) of all."""
    ranked = np.argsort(-scores, kind="stable")[:NEAREST]
    excluded = (None, groups[anchor])
    return [each for each in rng.permutation(ranked).tolist() if groups[each] not in excluded][:CANDIDATES]


def choose_informative(
    features: PairFeatures,
    fitted: FittedWeights,
    groups: Sequence[str | None],
    used: set[frozenset[int]],
    rng: np.random.Generator,
) -> Answer | None:
    """Choose the question whose answer tells most.

    Expected information of an answer under the posterior, p (1 - p) times the variance of the difference of both
    scores (Houlsby et al. 2011, to second order).
    """
    best, most = None, 0.0
    for anchor in draw_anchors(groups, rng)[:ANCHORS]:
        values = features.to_all(anchor)
        others = draw_others(values @ fitted.weights, anchor, groups, rng)
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
