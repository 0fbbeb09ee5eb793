"""Embeddings of held-out songs and their metadata -> a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.evaluation import chance
from resonance_engine.evaluation.report import Estimate, EvaluationReport, Gate, TaskScores, VariantScores
from resonance_engine.evaluation.retrieval import (
    Array,
    Relevance,
    average_precision,
    bootstrap_interval,
    hub_skewness,
    ranked_relevance,
    recall_at,
    reciprocal_rank,
)
from resonance_engine.evaluation.segments import segment_chance, segment_recall
from resonance_engine.evaluation.tasks import UNFILTERED, Labelled, album_groups, tasks
from resonance_engine.evaluation.variants import PLAIN, VARIANTS, lists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

CUTS = (1, 5, 10, 20)


class EvaluatedTracks(NamedTuple):
    """What a model made of some songs.

    `tracks` (songs, d) and `windows` (windows, d) are of unit length, `song` (windows,) says whose window it is, and
    `gates` (songs, modalities) sum to one.
    """

    tracks: NDArray[np.float32]
    windows: NDArray[np.float32]
    song: NDArray[np.integer]
    gates: NDArray[np.float32]


def query_scores(tracks: NDArray[np.float32], relevance: Relevance) -> dict[str, Array]:
    """recall@1, 5, 10, 20, mrr and map of every track as a query, NaN where nothing is relevant."""
    hits, _ = ranked_relevance((tracks @ tracks.T).astype(np.float64), relevance)
    recalls = {f"recall@{k}": recall_at(hits, k) for k in CUTS}
    return {**recalls, "mrr": reciprocal_rank(hits), "map": average_precision(hits)}


def chance_scores(relevance: Relevance) -> dict[str, Array]:
    """The same for rankings drawn by lot, on average."""
    counts = relevance.allowed.sum(axis=1), relevance.relevant.sum(axis=1)
    recalls = {f"recall@{k}": chance.recall_at(*counts, k) for k in CUTS}
    return {**recalls, "mrr": chance.reciprocal_rank(*counts), "map": chance.average_precision(*counts)}


def measured(
    model: tuple[str, str], modalities: Sequence[str], songs: Sequence[Labelled], heard: EvaluatedTracks, seed: int = 0
) -> EvaluationReport:
    """All numbers about a model, given by name and id, on these songs; the same seed gives the same intervals."""
    groups = album_groups(songs)
    relevances = tasks(songs)

    def estimate(values: Array, by_chance: Array | None = None, names: Sequence[str] = groups) -> Estimate:
        low, high = bootstrap_interval(values, names, np.random.default_rng(seed))
        return Estimate(mean(values), low, high, math.nan if by_chance is None else mean(by_chance))

    def task(name: str, relevance: Relevance) -> TaskScores:
        scores, random = query_scores(heard.tracks, relevance), chance_scores(relevance)
        queries = int(relevance.relevant.any(axis=1).sum())
        return TaskScores(name, queries, {metric: estimate(scores[metric], random[metric]) for metric in scores})

    def ways(name: str) -> list[VariantScores]:
        found = {ranking: lists(heard.tracks, relevances[name], how) for ranking, how in VARIANTS.items()}
        plain = found[PLAIN]
        return [
            VariantScores(
                task=name,
                ranking=ranking,
                recall=estimate(each.recall),
                mrr=estimate(each.reciprocal_rank),
                alike=mean(each.alike),
                recall_gain=None if each is plain else estimate(each.recall - plain.recall),
                mrr_gain=None if each is plain else estimate(each.reciprocal_rank - plain.reciprocal_rank),
            )
            for ranking, each in found.items()
        ]

    return EvaluationReport(
        model=model[0],
        model_id=model[1],
        songs=len(songs),
        albums=len({group for group in groups if not group.startswith("\n")}),
        windows=len(heard.windows),
        tasks=[task(name, relevance) for name, relevance in relevances.items()],
        segment_recall=estimate(
            segment_recall(heard.windows, heard.song), segment_chance(heard.song), [groups[i] for i in heard.song]
        ),
        hub_skewness=hub_skewness((heard.tracks @ heard.tracks.T).astype(np.float64)),
        gates={
            name: Gate(float(heard.gates[:, i].mean()), float(heard.gates[:, i].std()))
            for i, name in enumerate(modalities)
        },
        rankings=[way for name in ranked(relevances) for way in ways(name)],
    )


def ranked(relevances: Mapping[str, Relevance]) -> list[str]:
    """The tasks that ways to rank are compared on: each one filtered, or unfiltered where only so it has queries."""
    asked = [name for name, relevance in relevances.items() if relevance.relevant.any()]
    return [name for name in asked if not name.endswith(UNFILTERED) or name.removesuffix(UNFILTERED) not in asked]


def mean(values: Array) -> float:
    """Over the queries that have a value; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
