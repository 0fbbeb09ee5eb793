"""The report of an evaluation, as JSON and as a table that fits 100 columns."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.evaluation.tasks import UNFILTERED

if TYPE_CHECKING:
    from resonance_engine.evaluation.statistics import Estimate

INTERVAL = "95 %"


@dataclass(frozen=True)
class TaskScores:
    """Scores of one task: `metrics` (recall@k, mrr, map) over its answerable `queries`."""

    name: str
    queries: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class RankingScores:
    """Scores of one ranking on one task: recall@5 and MRR in lists of 20, and their gains over plain similarity.

    `alike` is the mean cosine of the tracks of a list with one another.
    """

    task: str
    ranking: str
    recall: Estimate
    mrr: Estimate
    alike: float
    recall_gain: Estimate | None = None
    mrr_gain: Estimate | None = None


@dataclass(frozen=True)
class GateStatistics:
    """Mean and standard deviation over songs of a modality's gate, 0 to 1."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation of a model on held-out songs.

    `hub_skewness` is that of the k-occurrence at 10 of raw cosine similarity: 0 is even, above 1 a few songs are among
    the neighbours of many.
    """

    model: str
    model_id: str
    songs: int
    albums: int
    windows: int
    tasks: list[TaskScores]
    segment_recall: Estimate
    hub_skewness: float
    gates: dict[str, GateStatistics]
    rankings: list[RankingScores]

    def to_json(self) -> str:
        """Serialize all numbers; NaN becomes null."""
        return json.dumps(replace_nan(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False)


def replace_nan(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: replace_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_report(report: EvaluationReport) -> str:
    """Format a report for a terminal: a block for each task, then segments, hubs, gates and rankings."""
    lines = [
        f"{report.model} ({report.model_id}) on {report.songs:,} held-out songs of {report.albums:,} albums, "
        f"{report.windows:,} windows",
    ]
    scores = {task.name: task for task in report.tasks}
    for name, task in scores.items():
        if not name.endswith(UNFILTERED):
            lines += ["", *task_block(task, scores.get(name + UNFILTERED))]
    segment, chance = report.segment_recall, format_number(report.segment_recall.chance)
    lines += [
        "",
        f"Segment recall@1  {format_number(segment.value)}  ({format_interval(segment)}; by chance {chance})",
        f"Hub skewness at 10, raw similarity  {format_number(report.hub_skewness)}",
        "Gates  " + ", ".join(f"{name} {gate.mean:.2f} ± {gate.deviation:.2f}" for name, gate in report.gates.items()),
    ]
    if report.rankings:
        lines += ["", *rankings_block(report.rankings)]
    return "\n".join(lines) + "\n"


TITLES = {
    "album": "Same album, the query's artist left out",
    "artist": "Same artist, the query's album left out",
    "genre": "Same genre, the query's artist and album left out",
    "pair": "The songs that a pair names",
}
FILTERED, ALL = "filtered", "unfiltered"


def task_block(task: TaskScores, unfiltered: TaskScores | None) -> list[str]:
    title = TITLES[task.name]
    variants = [(FILTERED, task), *([(ALL, unfiltered)] if unfiltered is not None else [])]
    answerable = [(name, scores) for name, scores in variants if scores.queries]
    if not answerable:
        return [f"{title}: no two held-out songs share one"]
    rows = [["", *task.metrics]]
    for name, scores in answerable:
        values = scores.metrics.values()
        rows.append([name, *(format_number(each.value) for each in values)])
        rows.append([f"  {INTERVAL}", *(format_interval(each) for each in values)])
        rows.append(["  by chance", *(format_number(each.chance) for each in values)])
    counts = f"{task.queries:,} queries" + (f", {unfiltered.queries:,} {ALL}" if unfiltered is not None else "")
    return [f"{title} ({counts})", *align_columns(rows)]


def rankings_block(scores: list[RankingScores]) -> list[str]:
    rows = [["", "recall@5", f"gain ({INTERVAL})", "mrr", f"gain ({INTERVAL})", "alike"]]
    task = ""
    for row in scores:
        if row.task != task:
            task = row.task
            rows.append([f"{task}:"])
        rows.append(
            [
                f"  {row.ranking}",
                format_number(row.recall.value),
                format_gain(row.recall_gain),
                format_number(row.mrr.value),
                format_gain(row.mrr_gain),
                format_number(row.alike),
            ]
        )
    return ["Ways to rank, lists of 20; alike: mean cosine within a list", *align_columns(rows)]


def align_columns(rows: list[list[str]]) -> list[str]:
    """Pad columns to even width: the first to the left, numbers to the right."""
    columns = max(len(row) for row in rows)
    full = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(len(row[column]) for row in full if len(row[column])) for column in range(columns)]
    return [
        (
            f"  {row[0]:<{widths[0]}}"
            + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        ).rstrip()
        for row in full
    ]


def format_number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def format_interval(estimate: Estimate) -> str:
    return "-" if math.isnan(estimate.low) else f"{estimate.low:.2f} to {estimate.high:.2f}"


def format_gain(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
