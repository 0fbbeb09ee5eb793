"""Evaluate a model by its embeddings of held-out songs and their metadata, and the rankings by running the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.evaluation.metrics import (
    Array,
    Relevance,
    chance_scores,
    query_scores,
    segment_chance,
    segment_recall,
)
from resonance_engine.evaluation.report import (
    FACET_METRICS,
    HELD_OUT,
    EvaluationReport,
    FacetScores,
    GateStatistics,
    RankingScores,
    TaskScores,
)
from resonance_engine.evaluation.statistics import Estimate, estimate_mean, hub_skewness, mean
from resonance_engine.evaluation.tasks import UNFILTERED, Labelled, album_groups, tasks
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking
from resonance_engine.search.selection import find_neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


SHOWN = 20  # tracks in a list, as a query shows by default
FIRST = 5
MOST_QUERIES = 1000  # run one by one, a few milliseconds each
PLAIN = "plain"
PROXIMITY = "mutual proximity"
RANKINGS = {
    PLAIN: Ranking(SHOWN, hubness="none"),
    "PRF 5": Ranking(SHOWN, prf=5, hubness="none"),
    "MMR 0.3": Ranking(SHOWN, rerank="mmr", lambda_div=0.3, hubness="none"),
    "PRF 5 + MMR 0.3": Ranking(SHOWN, prf=5, rerank="mmr", lambda_div=0.3, hubness="none"),
    PROXIMITY: Ranking(SHOWN),
    "mutual + PRF 5": Ranking(SHOWN, prf=5),
    "mutual + MMR 0.3": Ranking(SHOWN, rerank="mmr", lambda_div=0.3),
}


class EvaluatedTracks(NamedTuple):
    """A model's output for some songs.

    `tracks` (songs, d) and `windows` (windows, d) are of unit length, `song` (windows,) is the song of each window, and
    `gates` (songs, modalities) sum to one.
    """

    tracks: NDArray[np.float32]
    windows: NDArray[np.float32]
    song: NDArray[np.integer]
    gates: NDArray[np.float32]


def evaluate_model(
    model: tuple[str, str],
    modalities: Sequence[str],
    songs: Sequence[Labelled],
    output: EvaluatedTracks,
    facets: Mapping[str, NDArray[np.float32]] | None = None,
    most_queries: int | None = None,
    noun: str = HELD_OUT,
    report: Callable[[int], object] = lambda _: None,
) -> EvaluationReport:
    """Score the output of a model, given by name and id, on these songs.

    `facets` (songs, d) of unit length, by name, are scored each by itself. `most_queries` of each task are run through
    each ranking; `noun` is what the songs are called in the report. `report` is called with 1 after each of
    `count_rankings`.
    """
    groups = album_groups(songs)
    relevances = tasks(songs)

    def estimate(values: Array, chance: Array | None = None) -> Estimate:
        return estimate_mean(values, groups, chance)

    def score_task(name: str, relevance: Relevance) -> TaskScores:
        scores, random = query_scores(output.tracks, relevance), chance_scores(relevance)
        queries = int(relevance.relevant.any(axis=1).sum())
        return TaskScores(name, queries, {metric: estimate(scores[metric], random[metric]) for metric in scores})

    def score_rankings(name: str) -> list[RankingScores]:
        lists = {}
        for way, ranking in RANKINGS.items():
            lists[way] = evaluate_ranking(output.tracks, relevances[name], ranking, most_queries)
            report(1)
        plain = lists[PLAIN]
        return [
            RankingScores(
                task=name,
                ranking=way,
                recall=estimate(scores.recall),
                mrr=estimate(scores.reciprocal_rank),
                alike=mean(scores.alike),
                recall_gain=None if scores is plain else estimate(scores.recall - plain.recall),
                mrr_gain=None if scores is plain else estimate(scores.reciprocal_rank - plain.reciprocal_rank),
            )
            for way, scores in lists.items()
        ]

    segments = segment_recall(output.windows, output.song), segment_chance(output.song)
    return EvaluationReport(
        model=model[0],
        model_id=model[1],
        songs=len(songs),
        albums=len({group for group in groups if not group.startswith("\n")}),
        windows=len(output.windows),
        tasks=[score_task(name, relevance) for name, relevance in relevances.items()],
        segment_recall=estimate_mean(segments[0], [groups[song] for song in output.song], segments[1]),
        hub_skewness=hub_skewness((output.tracks @ output.tracks.T).astype(np.float64)),
        gates={
            name: GateStatistics(float(output.gates[:, i].mean()), float(output.gates[:, i].std()))
            for i, name in enumerate(modalities)
        },
        noun=noun,
        facets=[
            FacetScores(facet, name, {metric: estimate(scores[metric]) for metric in FACET_METRICS})
            for facet, vectors in (facets or {}).items()
            for name in select_tasks(relevances)
            for scores in [query_scores(vectors, relevances[name])]
        ],
        rankings=[scores for name in select_tasks(relevances) for scores in score_rankings(name)],
    )


def count_rankings(songs: Sequence[Labelled]) -> int:
    """Return how many rankings of all tasks `evaluate_model` runs."""
    return len(RANKINGS) * len(select_tasks(tasks(songs)))


def select_tasks(relevances: Mapping[str, Relevance]) -> list[str]:
    """Select the tasks that rankings are compared on: filtered ones, unfiltered where only those have queries."""
    answerable = [name for name, relevance in relevances.items() if relevance.relevant.any()]
    return [
        name for name in answerable if not name.endswith(UNFILTERED) or name.removesuffix(UNFILTERED) not in answerable
    ]


@dataclass(frozen=True, eq=False)
class ListScores:
    """Scores of the lists of all queries, one value per query, NaN where nothing is relevant.

    `recall` is recall@5; `reciprocal_rank` is that of the first relevant track of the list, 0 where the list has none;
    `alike` is the mean cosine of the list's tracks with one another: diversity shall lower it.
    """

    recall: Array
    reciprocal_rank: Array
    alike: Array


def evaluate_ranking(
    vectors: NDArray[np.float32], relevance: Relevance, ranking: Ranking, most: int | None = None
) -> ListScores:
    """Search an exact index of the vectors (n, d) of unit length for each of them with this ranking.

    Of more than `most` answerable queries, 1000 by default, a fixed random sample of as many is run.
    """
    most = MOST_QUERIES if most is None else most
    index = VectorIndex(np.arange(len(vectors)), vectors)
    values = np.full((3, len(vectors)), np.nan)
    answerable = np.flatnonzero(relevance.relevant.any(axis=1))
    if len(answerable) > most:
        answerable = np.random.default_rng(0).choice(answerable, most, replace=False)
    for query in answerable:
        excluded = np.flatnonzero(~relevance.allowed[query])
        results = find_neighbours(index, vectors[query, None], ranking, exclude=excluded)
        ids = np.array([result.id for result in results])
        hits = relevance.relevant[query, ids]
        first = 1.0 / (hits.argmax() + 1.0) if hits.any() else 0.0
        values[:, query] = hits[:FIRST].any(), first, mean_cosine(vectors[ids])
    return ListScores(*values)


def mean_cosine(vectors: NDArray[np.float32]) -> float:
    """Return the mean cosine over all pairs of unit vectors (n, d); NaN for fewer than two."""
    count = len(vectors)
    if count < 2:
        return float("nan")
    return float((np.square(vectors.sum(axis=0)).sum() - count) / (count * (count - 1)))
