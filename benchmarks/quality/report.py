"""Sections of the report, from the embeddings of all systems."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality import ablations, musicnn, seed_combinations, tables
from benchmarks.quality.resonance import WHOLE, ResonanceSystem
from benchmarks.quality.robustness import score_distortions
from benchmarks.quality.scores import QUALITY, SystemScores, score_embeddings
from benchmarks.quality.similarity import compared, cosine, mutual_proximity
from resonance_engine.evaluation.statistics import Estimate, estimate_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.cache import CorpusEmbeddings
    from benchmarks.quality.robustness import DistortedSystem
    from benchmarks.quality.scores import CorpusLabels
    from benchmarks.quality.systems import Arrays, System

Sections = dict[str, tuple[str, Any]]
"""By title: the text, and the same numbers for JSON."""

BEST = f"{musicnn.LABEL}best pooling per column"
SCORES = [*QUALITY, tables.HUBS]


def score_systems(
    labels: CorpusLabels, systems: Sequence[System], embeddings: Mapping[str, CorpusEmbeddings]
) -> dict[str, SystemScores]:
    """Score every row of the table, by its label."""
    return {
        label: score_embeddings(labels, embeddings[system.name], similarity)
        for system in systems
        for label, similarity in system.similarities().items()
    }


def compare_systems(labels: CorpusLabels, scores: Mapping[str, SystemScores], ours: str | None) -> Sections:
    """Format the table of all systems, and our lead on each."""
    rows = {label: tables.estimate_columns(labels, row) for label, row in scores.items()}
    poolings = {label: row for label, row in scores.items() if label.startswith(musicnn.LABEL)}
    best = tables.best_per_column(poolings) if poolings else {}
    groups = labels.soundtracks
    if best:
        rows[BEST] = {column: estimate_mean(row.queries[column], groups) for column, row in best.items()}
    sections = {"Systems": section(rows, tables.COLUMNS)}
    if ours is not None:
        own = scores[ours]
        leads = {label: tables.estimate_lead(labels, own, row) for label, row in scores.items() if label != ours}
        if best:
            gains = {column: own.queries[column] - row.queries[column] for column, row in best.items()}
            leads[BEST] = {column: estimate_mean(values, groups) for column, values in gains.items()}
        sections[f"How far {ours} is ahead"] = section(leads, SCORES, f"{ours} less", signed=True)
    return sections


def describe_system(labels: CorpusLabels, system: ResonanceSystem, embeddings: CorpusEmbeddings) -> Sections:
    """Format facets, gates, hub correction, rankings and seed combinations of one of our own systems."""
    facets = {
        name: tables.estimate_columns(labels, score_embeddings(labels, embeddings, similarity))
        for name, similarity in system.facet_similarities().items()
    }
    gates = np.stack([arrays["gates"] for arrays in embeddings.arrays.values()]).astype(np.float64)
    for number, name in enumerate(system.modalities):
        facets[name]["mean gate"] = Estimate(float(gates[:, number].mean()))
    raw = compared(WHOLE, cosine)

    def corrected(pool: Arrays) -> NDArray[np.float64]:
        return mutual_proximity(raw(pool))

    proximity = {
        name: tables.estimate_columns(labels, score_embeddings(labels, embeddings, similarity))
        for name, similarity in (("cosine", raw), ("mutual proximity", corrected))
    }
    sections = {
        f"{system.label}: facets alone": section(facets, ["mean gate", *SCORES], "facet"),
        f"{system.label}: mutual proximity": section(proximity, [*SCORES, tables.FOLD_HUBS], "similarity"),
    }
    for filtered in (False, True):
        rankings = {
            way: {name: estimate_mean(values, labels.soundtracks) for name, values in columns.items()}
            for way, columns in ablations.score_rankings(labels, embeddings, filtered).items()
        }
        title = f"{system.label}: ways to rank, same soundtrack{' by other artists' if filtered else ''}"
        sections[title] = section(rankings, ablations.MEASURES, "lists of 20")
    combinations = {
        way: {column: estimate_mean(np.array(draws.values), draws.soundtracks) for column, draws in columns.items()}
        for way, columns in seed_combinations.score_combinations(labels, embeddings).items()
    }
    columns = list(next(iter(combinations.values())))
    text, numbers = section(combinations, columns, "lists of 10")
    sections[f"{system.label}: ways to combine seeds"] = (f"{seed_combinations.MEANS}\n\n{text}", numbers)
    return sections


def describe_segments(
    labels: CorpusLabels, systems: Sequence[ResonanceSystem], embeddings: Mapping[str, CorpusEmbeddings]
) -> Sections:
    """Format the segment recall of our own systems."""
    column = "segment Recall@1"
    scores = {system.label: ablations.score_segments(labels, embeddings[system.name]) for system in systems}
    text, numbers = section({label: {column: estimate_mean(*values)} for label, values in scores.items()}, [column])
    return {"Segments": (f"{ablations.SEGMENTS}\n\n{text}", numbers)}


def describe_distortions(
    labels: CorpusLabels,
    distorted: DistortedSystem,
    embeddings: Mapping[str, CorpusEmbeddings],
    pools: Sequence[NDArray[np.intp]],
) -> Sections:
    """Format the scores of distorted recordings among the originals of the pools."""
    originals = embeddings[distorted.resonance.name]
    scores = score_distortions(labels, originals, embeddings[distorted.name], pools)
    sizes = f"{min(map(len, pools))} to {max(map(len, pools))}" if len(pools) > 1 else str(len(pools[0]))
    title = f"{distorted.resonance.label}: altered recordings, each looked for among {sizes} tracks"
    return {title: (tables.format_distortions(scores), [asdict(row) for row in scores])}


def section(
    rows: Mapping[str, Mapping[str, Estimate]], columns: Sequence[str], first: str = "system", signed: bool = False
) -> tuple[str, dict[str, dict[str, dict[str, float]]]]:
    """Return a table as text and its numbers for JSON, which has no NaN: what is unknown is left out."""
    numbers = {
        name: {
            column: {part: value for part, value in asdict(estimate).items() if not math.isnan(value)}
            for column, estimate in row.items()
        }
        for name, row in rows.items()
    }
    return tables.format_table(rows, columns, first, signed), numbers
