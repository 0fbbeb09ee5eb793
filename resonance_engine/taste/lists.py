"""Learn a taste from lists of tracks that a listener put together, and judge it by lists that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.evaluation.comparison import FEWEST_QUERIES, judge_interval
from resonance_engine.evaluation.statistics import Estimate, estimate_mean
from resonance_engine.taste.fit import choice_losses, fit_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.evaluation.comparison import Verdict
    from resonance_engine.taste.features import PairFeatures

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]

OTHERS = 20  # random tracks that each choice is among
PAIRS_OF_A_LIST = 40  # choices that a list makes, at most: a long one must not outvote the others
QUERIES_OF_A_LIST = 10
FOLDS = 5
FEWEST_LISTS = 8
CUT = 10
SAME = 0.5  # Jaccard index from which on two lists are one
RIDGES = (1.0, 10.0, 100.0, 1_000.0, np.inf)  # infinite: the base weights as they are


class TrackList(NamedTuple):
    """A list of tracks, by position; where `adjacent`, only neighbours in it belong together."""

    places: Places
    adjacent: bool = False


@dataclass(frozen=True, eq=False)
class ListChoices:
    """Choices (c, 1 + OTHERS, p) by similarities to a track of a list, another one of it first; `list_of` (c,).

    So many `lists` made them.
    """

    values: Array
    list_of: Places
    lists: int

    def of(self, chosen: NDArray[np.bool_]) -> Array:
        """Return the choices of some lists (lists,)."""
        return np.asarray(self.values[chosen[self.list_of]])


@dataclass(frozen=True, eq=False)
class LearnedTaste:
    """Weights (p,) of the similarities, the `ridge` of their fit, and how held-out lists are continued.

    Recall@10 and average precision before and after, and the difference of the latter, over `queries` of `lists`.
    """

    weights: Array
    ridge: float
    lists: int
    queries: int
    recall: tuple[Estimate, Estimate]
    precision: tuple[Estimate, Estimate]
    difference: Estimate
    verdict: Verdict
    is_of_few: bool  # lists, those that are one counted once, or queries, for a verdict


def learn_from_lists(
    features: PairFeatures, lists: Sequence[TrackList], report: Callable[[int], object] = lambda _: None
) -> LearnedTaste:
    """Learn from lists of two tracks or more.

    Each fifth of the lists is judged by weights that were learned from the others. Lists that share most of their
    tracks, such as two files of one list, are judged together, and count as one. `report` is called with 1 after each
    fold.
    """
    choices = make_choices(features, lists)
    group = group_lists(lists)
    fold = (np.random.default_rng(1).permutation(len(lists)) % FOLDS)[group]
    scores: list[tuple[int, Array]] = []
    for held_out in range(min(FOLDS, len(lists))):
        train = fold != held_out
        learned = fit_weights(
            choices.of(train), features.base, features.ridge * choose_ridge(choices, train, features)
        ).weights
        for place in np.flatnonzero(~train).tolist():
            scores += [(place, each) for each in score_list(features, lists[place].places, (features.base, learned))]
        report(1)
    groups = [str(group[place]) for place, _ in scores]
    values = np.array([each for _, each in scores]).reshape(len(scores), 2, 2)
    everything = np.ones(len(lists), bool)
    ridge = choose_ridge(choices, everything, features)
    difference = estimate_mean(values[:, 1, 1] - values[:, 0, 1], groups)
    is_of_few = len(scores) < FEWEST_QUERIES or len({*groups}) < FEWEST_LISTS
    return LearnedTaste(
        fit_weights(choices.of(everything), features.base, features.ridge * ridge).weights,
        ridge,
        len(lists),
        len(scores),
        (estimate_mean(values[:, 0, 0], groups), estimate_mean(values[:, 1, 0], groups)),
        (estimate_mean(values[:, 0, 1], groups), estimate_mean(values[:, 1, 1], groups)),
        difference,
        "cannot be told" if is_of_few else judge_interval(difference),
        is_of_few,
    )


def group_lists(lists: Sequence[TrackList]) -> Places:
    """Return for each list the first that it shares its tracks with (a Jaccard index of SAME or more), or itself."""
    sets = [frozenset(each.places.tolist()) for each in lists]
    group = np.arange(len(lists))
    for place, tracks in enumerate(sets):
        for before in range(place):
            if len(tracks & sets[before]) >= SAME * len(tracks | sets[before]):
                group[place] = group[before]
                break
    return group


def make_choices(features: PairFeatures, lists: Sequence[TrackList]) -> ListChoices:
    """Make the choices of lists: a track of the list, among random ones that are not in it, to go with another."""
    rng = np.random.default_rng(0)
    count = len(features.years)
    values, list_of = [], []
    for number, (places, adjacent) in enumerate(lists):
        pairs = list_pairs(len(places), adjacent)
        if len(pairs) > PAIRS_OF_A_LIST:
            pairs = pairs[np.sort(rng.choice(len(pairs), PAIRS_OF_A_LIST, replace=False))]
        outside = np.setdiff1d(np.arange(count), places)
        if not len(pairs) or not len(outside):
            continue
        one, other = places[pairs[:, 0]], places[pairs[:, 1]]
        others = rng.choice(outside, (len(pairs), OTHERS))
        tracks = np.column_stack([other, others])
        repeated = np.repeat(one, tracks.shape[1])
        values.append(features.of_pairs(repeated, tracks.ravel()).reshape(*tracks.shape, -1))
        list_of += [number] * len(pairs)
    shape = (0, 1 + OTHERS, len(features.base))
    return ListChoices(np.concatenate(values) if values else np.zeros(shape), np.array(list_of, np.intp), len(lists))


def list_pairs(count: int, adjacent: bool) -> Places:
    """Return the ordered pairs (m, 2) of places in a list of so many tracks, of neighbours alone where `adjacent`."""
    pairs = np.array([(i, j) for i in range(count) for j in range(count) if i != j], np.intp).reshape(-1, 2)
    return pairs[np.abs(pairs[:, 0] - pairs[:, 1]) == 1] if adjacent else pairs


def choose_ridge(choices: ListChoices, among: NDArray[np.bool_], features: PairFeatures) -> float:
    """Choose the ridge of the fit to the lists `among` (lists,) by cross-validation over lists.

    The strongest whose held-out loss is within one standard error of the least: a change must earn its place.
    """
    members = np.flatnonzero(among)
    if len(members) < 2:
        return np.inf
    fold = np.random.default_rng(2).permutation(len(members)) % FOLDS
    losses = np.full((len(RIDGES), choices.lists), np.nan)
    for held_out in range(min(FOLDS, len(members))):
        train, test = np.zeros(choices.lists, bool), np.zeros(choices.lists, bool)
        train[members[fold != held_out]], test[members[fold == held_out]] = True, True
        rows = np.flatnonzero(test[choices.list_of])
        for number, ridge in enumerate(RIDGES):
            weights = fit_weights(choices.of(train), features.base, features.ridge * ridge).weights
            each = choice_losses(choices.values[rows], weights)
            sums = np.bincount(choices.list_of[rows], each, choices.lists)
            sizes = np.bincount(choices.list_of[rows], minlength=choices.lists)
            known = sizes > 0
            losses[number, known] = sums[known] / sizes[known]
    known = ~np.isnan(losses).any(axis=0)
    if known.sum() < 2:
        return np.inf
    means = losses[:, known].mean(axis=1)
    best = int(means.argmin())
    # Of the difference to the best, on the same lists: their own spread would hide it.
    for number in reversed(range(len(RIDGES))):
        gap = losses[number, known] - losses[best, known]
        if gap.mean() <= gap.std(ddof=1) / np.sqrt(known.sum()):
            return RIDGES[number]
    return RIDGES[best]


def score_list(features: PairFeatures, places: Places, weights: Sequence[Array]) -> list[Array]:
    """Return recall@10 and average precision (weights, 2) of tracks of a list as queries for the rest of it."""
    queries = places
    if len(queries) > QUERIES_OF_A_LIST:
        queries = np.random.default_rng(int(places[0])).choice(places, QUERIES_OF_A_LIST, replace=False)
    relevant = np.zeros(len(features.years), bool)
    relevant[places] = True
    scores = []
    for query in queries.tolist():
        similarity = features.to_all(query)
        rows = []
        for each in weights:
            ranked = similarity @ each
            ranked[query] = -np.inf
            hits = relevant[np.argsort(-ranked, kind="stable")[:-1]]
            found = np.flatnonzero(hits)
            precision = float((np.arange(1, len(found) + 1) / (found + 1)).mean()) if len(found) else np.nan
            rows.append((hits[:CUT].sum() / max(1, min(CUT, len(found))), precision))
        scores.append(np.array(rows))
    return scores
