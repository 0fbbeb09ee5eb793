"""Estimates of the columns, and markdown tables of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.scores import ARTIST, FILTERED, MAP, PRECISION, QUALITY, RECALL, fold_skewness
from benchmarks.quality.systems import STEPS
from resonance_engine.evaluation.statistics import Estimate, estimate_mean, estimate_skewness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.quality.robustness import DistortionScores
    from benchmarks.quality.scores import CorpusLabels, SystemScores

    Estimates = Mapping[str, Estimate]

HUBS = "hub skew@10"
FOLD_HUBS = "mean of folds"
PROXIMITY_HUBS = "with mutual proximity"
PROXIMITY_FOLDS = "mean of folds, with mutual proximity"
COLUMNS = (RECALL, PRECISION, MAP, ARTIST, FILTERED, HUBS, FOLD_HUBS, PROXIMITY_HUBS, PROXIMITY_FOLDS)
MEANS = "; all columns are means over the queries of all folds, [95 % bootstrap interval over soundtracks]"


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
    rows: Mapping[str, Estimates], columns: Sequence[str], first: str = "system", signed: bool = False
) -> str:
    """Format a markdown table; a cell that a row lacks is empty."""
    cells = {name: [format_cell(row.get(column), signed) for column in columns] for name, row in rows.items()}
    return format_rows([[first, *columns], *([name, *values] for name, values in cells.items())])


def format_rows(rows: Sequence[Sequence[str]]) -> str:
    """Format cells as a markdown table whose first row is the header."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_cell(estimate: Estimate | None, signed: bool = False) -> str:
    """Format `0.630 [0.550, 0.710]`."""
    if estimate is None:
        return ""
    form = "{:+.3f}" if signed else "{:.3f}"
    value = "-" if math.isnan(estimate.value) else form.format(estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} [{form.format(estimate.low)}, {form.format(estimate.high)}]"


def format_seconds(seconds: Mapping[str, Mapping[str, float]]) -> str:
    """Format CPU seconds per track by system: the whole path, then its steps."""
    columns = [step for step in STEPS if any(step in steps for steps in seconds.values())]
    rows = {
        name: {"whole path": Estimate(sum(steps.values())), **{step: Estimate(value) for step, value in steps.items()}}
        for name, steps in seconds.items()
        if steps
    }
    return format_table(rows, ["whole path", *columns])


def format_distortions(scores: Sequence[DistortionScores]) -> str:
    """Format one row per distortion."""
    header = ["altered", "tracks", "mean cosine", "1st percentile", "cosine >= 0.98", "found first"]
    rows = [
        [
            row.distortion,
            str(row.tracks),
            f"{row.mean:.4f}",
            f"{row.first_percentile:.4f}",
            f"{100 * row.similar:.1f} %",
            f"{100 * row.first:.1f} %",
        ]
        for row in scores
    ]
    return format_rows([header, *rows])
