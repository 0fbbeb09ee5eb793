"""Compare two models on the same tracks, query by query: better, worse, or it cannot be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from resonance_engine.evaluation.metrics import query_scores
from resonance_engine.evaluation.statistics import Estimate, estimate_mean
from resonance_engine.evaluation.tasks import UNFILTERED, album_groups, tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.evaluation.tasks import Labelled

    Vectors = NDArray[np.float32]
    Scores = NDArray[np.float64]

FEWEST_QUERIES = 30
FEWEST_ALBUMS = 5  # with fewer, a coin toss per album would be an interval above zero too often
METRIC = "map"  # the finest: every relevant track counts
ALL = "all tasks"
Verdict = Literal["better", "worse", "cannot be told"]


class TaskComparison(NamedTuple):
    """Mean average precision of two models on the queries of a task, and their paired difference.

    `albums` are those that the queries are of, which the bootstrap of the intervals draws as wholes.
    """

    task: str
    queries: int
    albums: int
    one: Estimate
    other: Estimate
    difference: Estimate
    verdict: Verdict


def compare_tracks(one: Vectors, other: Vectors, songs: Sequence[Labelled]) -> list[TaskComparison]:
    """Compare embeddings (n, d) of two models, of unit length: the other against the one, by task, all tasks last.

    In the last row each track counts once, with the mean over its tasks.
    """
    groups = album_groups(songs)
    rows, scores = [], []
    for name, relevance in tasks(songs).items():
        if not name.endswith(UNFILTERED):
            pair = np.stack([query_scores(vectors, relevance)[METRIC] for vectors in (one, other)])
            rows.append(compare_scores(name, pair, groups))
            scores.append(pair)
    known = ~np.isnan(scores)
    counts = known.sum(axis=0)
    means = np.where(counts > 0, np.where(known, scores, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
    return [*rows, compare_scores(ALL, means, groups)]


def compare_scores(task: str, scores: Scores, groups: Sequence[str]) -> TaskComparison:
    """Compare the scores (2, queries) of two models, NaN where there is nothing to find, by groups of queries."""
    gains = scores[1] - scores[0]
    answerable = np.flatnonzero(~np.isnan(gains))
    albums = len({groups[place] for place in answerable.tolist()})
    difference = estimate_mean(gains, groups)
    return TaskComparison(
        task,
        len(answerable),
        albums,
        estimate_mean(scores[0], groups),
        estimate_mean(scores[1], groups),
        difference,
        decide(difference, len(answerable), albums),
    )


def decide(difference: Estimate, queries: int, albums: int) -> Verdict:
    """Return the verdict on a paired difference: none of few queries or albums, else by its 95 % interval."""
    if queries < FEWEST_QUERIES or albums < FEWEST_ALBUMS:
        return "cannot be told"
    return judge_interval(difference)


def judge_interval(difference: Estimate) -> Verdict:
    """Return the verdict of an interval: none where it holds zero."""
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "cannot be told"
