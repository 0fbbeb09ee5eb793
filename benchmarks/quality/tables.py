"""Numbers as markdown tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.quality.listening import STEPS
from benchmarks.quality.scores import (
    ARTIST,
    FILTERED,
    HUBS,
    MAP,
    PRECISION,
    QUALITY,
    RECALL,
    best_per_column,
    fold_skewness,
)
from resonance_engine.evaluation.statistics import Estimate, estimate_mean, estimate_skewness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.quality.robustness import Recognition
    from benchmarks.quality.scores import Scores, Tracks

    Row = Mapping[str, Estimate]

FOLD_HUBS = "mean of folds"
PROXIMITY_HUBS = "with mutual proximity"
PROXIMITY_FOLDS = "mean of folds, with mutual proximity"
COLUMNS = (RECALL, PRECISION, MAP, ARTIST, FILTERED, HUBS, FOLD_HUBS, PROXIMITY_HUBS, PROXIMITY_FOLDS)
MEANS = "; all columns are means over the queries of all folds, [95 % bootstrap interval over soundtracks]"


def row(tracks: Tracks, scores: Scores) -> dict[str, Estimate]:
    """A system's columns."""
    groups = tracks.soundtracks
    return {
        **{column: estimate_mean(scores.queries[column], groups) for column in QUALITY},
        HUBS: estimate_skewness(scores.occurrence, groups),
        FOLD_HUBS: Estimate(fold_skewness(tracks, scores.occurrence)),
        PROXIMITY_HUBS: estimate_skewness(scores.corrected, groups),
        PROXIMITY_FOLDS: Estimate(fold_skewness(tracks, scores.corrected)),
    }


def lead(tracks: Tracks, ours: Scores, theirs: Scores) -> dict[str, Estimate]:
    """Ours less theirs, column by column, in pairs."""
    groups = tracks.soundtracks
    return {
        **{column: estimate_mean(ours.queries[column] - theirs.queries[column], groups) for column in QUALITY},
        HUBS: estimate_skewness(ours.occurrence, groups, theirs.occurrence),
    }


def lead_on_best(tracks: Tracks, ours: Scores, rows: Mapping[str, Scores]) -> dict[str, Estimate]:
    """Ours less whichever row is best in each column."""
    best = best_per_column(rows)
    return {
        column: estimate_mean(ours.queries[column] - rows[name].queries[column], tracks.soundtracks)
        for column, name in best.items()
    }


def best_row(rows: Mapping[str, Row]) -> dict[str, Estimate]:
    """For each of the quality columns the best of these rows."""
    return {column: max((each[column] for each in rows.values()), key=lambda cell: cell.value) for column in QUALITY}


def table(rows: Mapping[str, Row], columns: Sequence[str], first: str = "system", signed: bool = False) -> str:
    """A markdown table; a cell that a row lacks is empty."""
    lines = [[first, *columns], ["---"] * (1 + len(columns))]
    lines += [[name, *(cell(each.get(column), signed) for column in columns)] for name, each in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(estimate: Estimate | None, signed: bool = False) -> str:
    """`0.63 [0.55, 0.71]`."""
    if estimate is None:
        return ""
    form = "{:+.3f}" if signed else "{:.3f}"
    value = "-" if math.isnan(estimate.value) else form.format(estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} [{form.format(estimate.low)}, {form.format(estimate.high)}]"


def seconds_table(seconds: Mapping[str, Mapping[str, float]]) -> str:
    """CPU seconds a track by system: the whole path, then its steps."""
    steps = [step for step in STEPS if any(step in each for each in seconds.values())]
    rows = {
        name: {"whole path": Estimate(sum(each.values())), **{step: Estimate(value) for step, value in each.items()}}
        for name, each in seconds.items()
        if each
    }
    return table(rows, ["whole path", *steps])


def recognition_table(found: Sequence[Recognition]) -> str:
    lines = [
        ["altered", "tracks", "mean cosine", "1st percentile", "cosine >= 0.98", "found first"],
        ["---"] * 6,
    ]
    lines += [
        [
            each.guise,
            str(each.tracks),
            f"{each.mean:.4f}",
            f"{each.first_percentile:.4f}",
            f"{100 * each.enough:.1f} %",
            f"{100 * each.found:.1f} %",
        ]
        for each in found
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
