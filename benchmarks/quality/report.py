"""Sections of the report: estimates of all columns, and markdown tables of them."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.baselines import MUSICNN_LABEL, YAMNET_LABEL
from benchmarks.quality.robustness import score_distortions
from benchmarks.quality.scores import (
    ARTIST,
    COMBINED_MEANS,
    FILTERED,
    MAP,
    MEASURES,
    PRECISION,
    QUALITY,
    RECALL,
    SEGMENTS,
    SystemScores,
    fold_skewness,
    score_combinations,
    score_embeddings,
    score_rankings,
    score_segments,
)
from benchmarks.quality.systems import STEPS, WHOLE, ResonanceSystem, compared, cosine, mutual_proximity
from resonance_engine.evaluation.statistics import Estimate, estimate_mean, estimate_skewness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.embedding_run import CorpusEmbeddings
    from benchmarks.quality.robustness import DistortedSystem
    from benchmarks.quality.scores import CorpusLabels, SystemScores
    from benchmarks.quality.systems import Similarity, System

HUBS = "hub skew@10"
FOLD_HUBS = "mean of folds"
PROXIMITY_HUBS = "with mutual proximity"
PROXIMITY_FOLDS = "mean of folds, with mutual proximity"
COLUMNS = (RECALL, PRECISION, MAP, ARTIST, FILTERED, HUBS, FOLD_HUBS, PROXIMITY_HUBS, PROXIMITY_FOLDS)
MEANS = "; all columns are means over the queries of all folds, [95 % bootstrap interval over soundtracks]"
Sections = dict[str, tuple[str, Any]]
"""By title: the text, and the same numbers for JSON."""

# Rows of the best of several poolings in each column, and how their labels begin.
BESTS = {
    f"{MUSICNN_LABEL}best pooling per column": (MUSICNN_LABEL,),
    f"{YAMNET_LABEL}best pooling per column": (YAMNET_LABEL,),
    "best single network per column": (MUSICNN_LABEL, YAMNET_LABEL),
}
SCORES = [*QUALITY, HUBS]


def estimate_columns(labels: CorpusLabels, scores: SystemScores) -> dict[str, Estimate]:
    """Estimate a system's columns."""
    groups = labels.soundtracks
    return {
        **{column: estimate_mean(scores.queries[column], groups) for column in QUALITY},
        HUBS: estimate_skewness(scores.occurrence, groups),
        FOLD_HUBS: Estimate(fold_skewness(labels, scores.occurrence)),
        PROXIMITY_HUBS: estimate_skewness(scores.corrected, groups),
        PROXIMITY_FOLDS: Estimate(fold_skewness(labels, scores.corrected)),
    }


def estimate_lead(labels: CorpusLabels, ours: SystemScores, theirs: SystemScores) -> dict[str, Estimate]:
    """Estimate our columns less theirs, query by query."""
    groups = labels.soundtracks
    return {
        **{column: estimate_mean(ours.queries[column] - theirs.queries[column], groups) for column in QUALITY},
        HUBS: estimate_skewness(ours.occurrence, groups, theirs.occurrence),
    }


def best_per_column(rows: Mapping[str, SystemScores]) -> dict[str, SystemScores]:
    """Return, for each of the quality columns, the row with the highest mean."""
    return {
        column: max(rows.values(), key=lambda scores: float(np.nanmean(scores.queries[column]))) for column in QUALITY
    }


def format_table(
    rows: Mapping[str, Mapping[str, Estimate | float]],
    columns: Sequence[str],
    first: str = "system",
    signed: bool = False,
) -> str:
    """Format a markdown table; a cell that a row lacks is empty."""
    cells = {name: [format_cell(row.get(column), signed) for column in columns] for name, row in rows.items()}
    lines = [[first, *columns], ["---"] * (1 + len(columns)), *([name, *values] for name, values in cells.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_cell(estimate: Estimate | float | None, signed: bool = False) -> str:
    """Format `0.630 [0.550, 0.710]`, or a number without an interval, or a count."""
    if not isinstance(estimate, Estimate):
        return "" if estimate is None else f"{estimate:.3f}" if isinstance(estimate, float) else str(estimate)
    form = "{:+.3f}" if signed else "{:.3f}"
    value = "-" if math.isnan(estimate.value) else form.format(estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} [{form.format(estimate.low)}, {form.format(estimate.high)}]"


def format_seconds(seconds: Mapping[str, Mapping[str, float]]) -> str:
    """Format CPU seconds per track by system: the whole path, then its steps."""
    columns = [step for step in STEPS if any(step in steps for steps in seconds.values())]
    rows = {name: {"whole path": sum(steps.values()), **steps} for name, steps in seconds.items() if steps}
    return format_table(rows, ["whole path", *columns])


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
    rows = {label: estimate_columns(labels, row) for label, row in scores.items()}
    groups, bests = labels.soundtracks, {}
    for name, beginnings in BESTS.items():
        poolings = {label: row for label, row in scores.items() if label.startswith(beginnings)}
        if poolings:
            bests[name] = best_per_column(poolings)
            rows[name] = {column: estimate_mean(row.queries[column], groups) for column, row in bests[name].items()}
    sections = {"Systems": section(rows, COLUMNS)}
    if ours is not None:
        own = scores[ours]
        leads = {label: estimate_lead(labels, own, row) for label, row in scores.items() if label != ours}
        for name, best in bests.items():
            gains = {column: own.queries[column] - row.queries[column] for column, row in best.items()}
            leads[name] = {column: estimate_mean(values, groups) for column, values in gains.items()}
        sections[f"How far {ours} is ahead"] = section(leads, SCORES, f"{ours} less", signed=True)
    return sections


def describe_system(labels: CorpusLabels, system: ResonanceSystem, embeddings: CorpusEmbeddings) -> Sections:
    """Format facets, gates, hub correction, rankings and seed combinations of one of our own systems."""

    def estimate(similarity: Similarity) -> dict[str, Estimate]:
        return estimate_columns(labels, score_embeddings(labels, embeddings, similarity))

    facets = {name: estimate(similarity) for name, similarity in system.facet_similarities().items()}
    gates = np.stack([arrays["gates"] for arrays in embeddings.arrays.values()]).astype(np.float64)
    for number, name in enumerate(system.modalities):
        facets[name]["mean gate"] = Estimate(float(gates[:, number].mean()))
    corrected = compared(WHOLE, lambda vectors: mutual_proximity(cosine(vectors)))
    proximity = {"cosine": estimate(compared(WHOLE, cosine)), "mutual proximity": estimate(corrected)}
    sections = {
        f"{system.label}: facets alone": section(facets, ["mean gate", *SCORES], "facet"),
        f"{system.label}: mutual proximity": section(proximity, [*SCORES, FOLD_HUBS], "similarity"),
    }
    for filtered in (False, True):
        rankings = {
            way: {name: estimate_mean(values, labels.soundtracks) for name, values in columns.items()}
            for way, columns in score_rankings(labels, embeddings, filtered).items()
        }
        title = f"{system.label}: ways to rank, same soundtrack{' by other artists' if filtered else ''}"
        sections[title] = section(rankings, MEASURES, "lists of 20")
    combinations = {
        way: {column: estimate_mean(np.array(draws[0]), draws[1]) for column, draws in columns.items()}
        for way, columns in score_combinations(labels, embeddings).items()
    }
    columns = list(next(iter(combinations.values())))
    text, numbers = section(combinations, columns, "lists of 10")
    sections[f"{system.label}: ways to combine seeds"] = (f"{COMBINED_MEANS}\n\n{text}", numbers)
    return sections


def describe_segments(
    labels: CorpusLabels, systems: Sequence[ResonanceSystem], embeddings: Mapping[str, CorpusEmbeddings]
) -> Sections:
    """Format the segment recall of our own systems."""
    column = "segment Recall@1"
    scores = {system.label: score_segments(labels, embeddings[system.name]) for system in systems}
    text, numbers = section({label: {column: estimate_mean(*values)} for label, values in scores.items()}, [column])
    return {"Segments": (f"{SEGMENTS}\n\n{text}", numbers)}


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
    return {title: (format_table(scores, list(next(iter(scores.values()), {})), "altered"), scores)}


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
    return format_table(rows, columns, first, signed), numbers
