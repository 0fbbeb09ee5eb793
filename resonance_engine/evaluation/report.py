"""The report of an evaluation, as JSON and as a table that fits 100 columns."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from resonance_engine.errors import format_count
from resonance_engine.evaluation.tasks import UNFILTERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.evaluation.statistics import Estimate

INTERVAL = "95 %"
HELD_OUT = "held-out songs"
FACET_METRICS = ("recall@1", "map")


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
class FacetScores:
    """Scores of one facet by itself on one task: the metrics of `FACET_METRICS`."""

    facet: str
    task: str
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class GateStatistics:
    """Mean and standard deviation over songs of a modality's gate, 0 to 1."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation of a model on held-out songs.

    `hub_skewness` is that of the k-occurrence at 10 of raw cosine similarity: 0 is even, above 1 a few songs are among
    the neighbours of many. `noun` is what the songs are called.
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
    facets: list[FacetScores] = field(default_factory=list)
    noun: str = HELD_OUT

    def to_json(self, more: Mapping[str, Any] | None = None) -> str:
        """Serialize all numbers, and what is given beside them; NaN becomes null."""
        document = {**asdict(self), **(more or {})}
        return json.dumps(replace_nan(document), indent=1, ensure_ascii=False, allow_nan=False)


def replace_nan(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: replace_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Table(NamedTuple):
    """A title, and rows of cells, the first of which are the columns' names; no row where the title says it all."""

    title: str
    rows: list[list[str]]


def format_report(report: EvaluationReport) -> str:
    """Format a report for a terminal: a block for each task, then segments, hubs, gates, facets and rankings."""
    blocks = [[describe_material(report)]]
    tables = report_tables(report)
    count = len(task_tables(report))
    blocks += [[table.title, *align_columns(table.rows)] if table.rows else [table.title] for table in tables[:count]]
    blocks.append(list_facts(report))
    blocks += [[table.title, *align_columns(table.rows)] for table in tables[count:]]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def describe_material(report: EvaluationReport) -> str:
    """Return a line on the model and what it was evaluated on."""
    return (
        f"{report.model} ({report.model_id}) on {format_count(report.songs, report.noun.removesuffix('s'))} of "
        f"{format_count(report.albums, 'album')}, {format_count(report.windows, 'window')}"
    )


def list_facts(report: EvaluationReport) -> list[str]:
    """Return the single numbers of a report, a line each."""
    segment, chance = report.segment_recall, format_number(report.segment_recall.chance)
    gates = ", ".join(f"{name} {gate.mean:.2f} ± {gate.deviation:.2f}" for name, gate in report.gates.items())
    return [
        f"Segment recall@1  {format_number(segment.value)}  ({format_interval(segment)}; by chance {chance})",
        f"Hub skewness at 10, raw similarity  {format_number(report.hub_skewness)}",
        f"Gates  {gates}",
    ]


def report_tables(report: EvaluationReport) -> list[Table]:
    """Return the tables of a report: of the tasks, of the facets, of the rankings."""
    tables = task_tables(report)
    tables += [facets_table(report.facets)] if report.facets else []
    tables += [rankings_table(report.rankings)] if report.rankings else []
    return tables


def task_tables(report: EvaluationReport) -> list[Table]:
    scores = {task.name: task for task in report.tasks}
    return [
        task_table(task, scores.get(name + UNFILTERED), report.noun)
        for name, task in scores.items()
        if not name.endswith(UNFILTERED)
    ]


TITLES = {
    "album": "Same album, the query's artist left out",
    "artist": "Same artist, the query's album left out",
    "genre": "Same genre, the query's artist and album left out",
    "pair": "The songs that a pair names",
}
FILTERED, ALL = "filtered", "unfiltered"


def task_table(task: TaskScores, unfiltered: TaskScores | None, noun: str) -> Table:
    title = TITLES[task.name]
    variants = [(FILTERED, task), *([(ALL, unfiltered)] if unfiltered is not None else [])]
    answerable = [(name, scores) for name, scores in variants if scores.queries]
    if not answerable:
        return Table(f"{title}: no two {noun} share one", [])
    rows = [["", *task.metrics]]
    for name, scores in answerable:
        values = scores.metrics.values()
        rows.append([name, *(format_number(each.value) for each in values)])
        rows.append([f"  {INTERVAL}", *(format_interval(each) for each in values)])
        rows.append(["  by chance", *(format_number(each.chance) for each in values)])
    counts = f"{task.queries:,} queries" + (f", {unfiltered.queries:,} {ALL}" if unfiltered is not None else "")
    return Table(f"{title} ({counts})", rows)


def facets_table(scores: list[FacetScores]) -> Table:
    names = list(dict.fromkeys(row.task for row in scores))
    rows = [["", *(f"{name} {metric}" for name in names for metric in FACET_METRICS)]]
    for facet in dict.fromkeys(row.facet for row in scores):
        metrics = {row.task: row.metrics for row in scores if row.facet == facet}
        rows.append(
            [facet, *(format_number(metrics[name][metric].value) for name in names for metric in FACET_METRICS)]
        )
    return Table("Facets, each by itself", rows)


def rankings_table(scores: list[RankingScores]) -> Table:
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
    return Table("Ways to rank, lists of 20; alike: mean cosine within a list", rows)


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
