"""The numbers of an evaluation, as JSON and as a table that fits 100 columns."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from resonance_engine.evaluation.tasks import UNFILTERED

INTERVAL = "95 %"


@dataclass(frozen=True)
class Estimate:
    """A mean over queries with its 95 % interval, drawn by albums, and what a random ranking would give."""

    value: float
    low: float
    high: float
    chance: float = math.nan


@dataclass(frozen=True)
class TaskScores:
    """How well one task is solved: `metrics` (recall@k, mrr, map) over the `queries` that have an answer."""

    name: str
    queries: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class VariantScores:
    """One way to rank, on one task: recall@5 and MRR in lists of 20, and their differences from plain similarity.

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
class Gate:
    """How much of the embedding a modality makes up: mean and deviation over songs, 0 to 1."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation of a model on held-out songs.

    `hub_skewness` is that of the k-occurrence at 10 of raw cosine similarity: 0 is even, above 1 a few songs crowd
    everybody's neighbours.
    """

    model: str
    model_id: str
    songs: int
    albums: int
    windows: int
    tasks: list[TaskScores]
    segment_recall: Estimate
    hub_skewness: float
    gates: dict[str, Gate]
    rankings: list[VariantScores]

    def to_json(self) -> str:
        """All numbers; those that do not exist are null."""
        return json.dumps(finite(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False)


def finite(value: Any) -> Any:
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(report: EvaluationReport) -> str:
    """The report for a terminal: one block for each task, then segments, hubs, gates and ways to rank."""
    lines = [
        f"{report.model} ({report.model_id}) on {report.songs:,} held-out songs of {report.albums:,} albums, "
        f"{report.windows:,} windows",
    ]
    scores = {task.name: task for task in report.tasks}
    for name, task in scores.items():
        if not name.endswith(UNFILTERED):
            lines += ["", *block(task, scores.get(name + UNFILTERED))]
    segment = report.segment_recall
    lines += [
        "",
        f"Segment recall@1  {number(segment.value)}  ({span(segment)}; by chance {number(segment.chance)})",
        f"Hub skewness at 10, raw similarity  {number(report.hub_skewness)}",
        "Gates  " + ", ".join(f"{name} {gate.mean:.2f} ± {gate.deviation:.2f}" for name, gate in report.gates.items()),
    ]
    if report.rankings:
        lines += ["", *rankings(report.rankings)]
    return "\n".join(lines) + "\n"


TITLES = {
    "album": "Same album, the query's artist left out",
    "artist": "Same artist, the query's album left out",
    "genre": "Same genre, the query's artist and album left out",
    "pair": "The songs that a pair names",
}
FILTERED, ALL = "filtered", "unfiltered"


def block(task: TaskScores, unfiltered: TaskScores | None) -> list[str]:
    title = TITLES[task.name]
    asked = [(name, each) for name, each in ((FILTERED, task), (ALL, unfiltered)) if each is not None and each.queries]
    if not asked:
        return [f"{title}: no two held-out songs share one"]
    rows = [["", *task.metrics]]
    for name, scores in asked:
        values = scores.metrics.values()
        rows.append([name, *(number(each.value) for each in values)])
        rows.append([f"  {INTERVAL}", *(span(each) for each in values)])
        rows.append(["  by chance", *(number(each.chance) for each in values)])
    counts = f"{task.queries:,} queries" + (f", {unfiltered.queries:,} {ALL}" if unfiltered is not None else "")
    return [f"{title} ({counts})", *aligned(rows)]


def rankings(variants: list[VariantScores]) -> list[str]:
    rows = [["", "recall@5", f"gain ({INTERVAL})", "mrr", f"gain ({INTERVAL})", "alike"]]
    task = ""
    for each in variants:
        if each.task != task:
            task = each.task
            rows.append([f"{task}:"])
        rows.append(
            [
                f"  {each.ranking}",
                number(each.recall.value),
                gain(each.recall_gain),
                number(each.mrr.value),
                gain(each.mrr_gain),
                number(each.alike),
            ]
        )
    return ["Ways to rank, lists of 20; alike: mean cosine within a list", *aligned(rows)]


def aligned(rows: list[list[str]]) -> list[str]:
    """Columns of even width: the first to the left, numbers to the right."""
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


def number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def span(estimate: Estimate) -> str:
    return "-" if math.isnan(estimate.low) else f"{estimate.low:.2f} to {estimate.high:.2f}"


def gain(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
