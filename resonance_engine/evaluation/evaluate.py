"""Evaluate a model by its embeddings of held-out songs and their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.evaluation.chance import chance_scores
from resonance_engine.evaluation.metrics import Array, Relevance, query_scores
from resonance_engine.evaluation.rankings import PLAIN, RANKINGS, evaluate_ranking
from resonance_engine.evaluation.report import EvaluationReport, GateStatistics, RankingScores, TaskScores
from resonance_engine.evaluation.segments import segment_chance, segment_recall
from resonance_engine.evaluation.statistics import Estimate, estimate_mean, hub_skewness, mean
from resonance_engine.evaluation.tasks import UNFILTERED, Labelled, album_groups, tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


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
    model: tuple[str, str], modalities: Sequence[str], songs: Sequence[Labelled], output: EvaluatedTracks
) -> EvaluationReport:
    """Score the output of a model, given by name and id, on these songs."""
    groups = album_groups(songs)
    relevances = tasks(songs)

    def estimate(values: Array, chance: Array | None = None) -> Estimate:
        return estimate_mean(values, groups, chance)

    def score_task(name: str, relevance: Relevance) -> TaskScores:
        scores, random = query_scores(output.tracks, relevance), chance_scores(relevance)
        queries = int(relevance.relevant.any(axis=1).sum())
        return TaskScores(name, queries, {metric: estimate(scores[metric], random[metric]) for metric in scores})

    def score_rankings(name: str) -> list[RankingScores]:
        lists = {way: evaluate_ranking(output.tracks, relevances[name], ranking) for way, ranking in RANKINGS.items()}
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
        rankings=[scores for name in select_tasks(relevances) for scores in score_rankings(name)],
    )


def select_tasks(relevances: Mapping[str, Relevance]) -> list[str]:
    """Select the tasks that rankings are compared on: filtered ones, unfiltered where only those have queries."""
    answerable = [name for name, relevance in relevances.items() if relevance.relevant.any()]
    return [
        name for name in answerable if not name.endswith(UNFILTERED) or name.removesuffix(UNFILTERED) not in answerable
    ]
