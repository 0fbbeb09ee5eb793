"""An evaluation as Markdown, or as one HTML file with charts: no script, nothing that is loaded from elsewhere."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from resonance_engine.evaluation.comparison import METRIC
from resonance_engine.evaluation.report import (
    INTERVAL,
    Table,
    describe_material,
    format_gain,
    format_interval,
    format_number,
    list_facts,
    report_tables,
)
from resonance_engine.evaluation.tasks import UNFILTERED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.evaluation.comparison import TaskComparison
    from resonance_engine.evaluation.report import EvaluationReport
    from resonance_engine.evaluation.statistics import Estimate

CHARTED = ("recall@1", "recall@10", "map")
COLOURS = ("#0072B2", "#56B4E9", "#009E73")  # Okabe & Ito 2008, told apart with any colour vision
BAR, GAP, LABEL, SCALE = 18, 6, 190, 420  # pixels: of a bar, between two, of the names, from 0 to 1
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#222;background:#fff}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .6rem;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}h2{font-size:1.1rem;margin-top:2rem}"
    "div.wide{overflow-x:auto}svg text{font:13px system-ui,sans-serif;fill:#222}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}svg text{fill:#ddd}}"
)


def comparison_table(rows: Sequence[TaskComparison], names: tuple[str, str]) -> Table:
    """Return the table of a comparison of two models, by name: the second against the first."""
    header = ["", "queries", "albums", names[0], names[1], f"difference ({INTERVAL})", f"{names[1]} is"]
    body = [
        [
            row.task,
            f"{row.queries:,}",
            f"{row.albums:,}",
            format_number(row.one.value),
            format_number(row.other.value),
            format_gain(row.difference) if row.queries else "-",
            row.verdict,
        ]
        for row in rows
    ]
    return Table(f"{names[1]} against {names[0]} ({METRIC})", [header, *body])


def format_markdown(title: str, report: EvaluationReport, notes: Sequence[str], tables: Sequence[Table]) -> str:
    """Format a report as Markdown; `notes` are lines below the title, `tables` come before those of the report."""
    parts = [f"# {title}", *(f"{line}  " for line in [describe_material(report), *notes])]
    parts = ["\n".join([parts[0], "", *parts[1:]])]
    parts += [format_markdown_table(table) for table in [*tables, *report_tables(report)]]
    parts.append("\n".join(f"- {line}" for line in list_facts(report)))
    return "\n\n".join(parts) + "\n"


def format_markdown_table(table: Table) -> str:
    rows = [[cell.strip().replace("|", "\\|") for cell in row] for row in pad_rows(table.rows)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    rule = [f"|---|{'---:|' * (len(rows[0]) - 1)}"] if rows else []
    return "\n".join([f"## {table.title}", *(["", lines[0], *rule, *lines[1:]] if rows else [])])


def format_page(title: str, report: EvaluationReport, notes: Sequence[str], tables: Sequence[Table]) -> str:
    """Format a report as an HTML page, with a chart of the tasks; see `format_markdown`."""
    lines = "<br>".join(map(escape, [describe_material(report), *notes]))
    facts = "".join(f"<li>{escape(line)}</li>" for line in list_facts(report))
    body = [f"<h1>{escape(title)}</h1><p>{lines}</p>", *map(format_html_table, tables), draw_tasks(report)]
    body += [*map(format_html_table, report_tables(report)), f"<h2>Beside the tasks</h2><ul>{facts}</ul>"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="generator" content="Resonance">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def format_html_table(table: Table) -> str:
    rows = pad_rows(table.rows)
    cells = [
        "".join(f"<{kind}>{escape(cell.strip())}</{kind}>" for cell in row)
        for row, kind in zip(rows, ["th", *["td"] * len(rows)], strict=False)
    ]
    lines = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<h2>{escape(table.title)}</h2>" + (f'<div class="wide"><table>{lines}</table></div>' if rows else "")


def pad_rows(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return rows of one length, with empty cells at their ends."""
    width = max(map(len, rows), default=0)
    return [[*row, *[""] * (width - len(row))] for row in rows]


def draw_tasks(report: EvaluationReport) -> str:
    """Draw some metrics of each task as SVG bars, with intervals as lines and chance as ticks."""
    bars = [
        (f"{task.name}, {metric}", task.metrics[metric], colour)
        for task in report.tasks
        if task.queries and not task.name.endswith(UNFILTERED)
        for metric, colour in zip(CHARTED, COLOURS, strict=True)
    ]
    if not bars:
        return ""
    height = len(bars) * (BAR + GAP) + GAP
    shapes = "".join(draw_bar(name, value, colour, place) for place, (name, value, colour) in enumerate(bars))
    title = f"Bars: the metric; lines: its {INTERVAL} interval; ticks: chance"
    return (
        f'<h2>{title}</h2><svg role="img" aria-label="{title}" width="{LABEL + SCALE + 60}" height="{height}">'
        f"{shapes}</svg>"
    )


def draw_bar(name: str, estimate: Estimate, colour: str, place: int) -> str:
    top = GAP + place * (BAR + GAP)
    middle = top + BAR / 2
    shapes = [
        f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{LABEL}" y="{top}" width="{SCALE * estimate.value:.1f}" height="{BAR}" fill="{colour}"/>',
        f'<text x="{LABEL + SCALE + 8}" y="{middle + 4}">{format_number(estimate.value)}</text>',
    ]
    if not math.isnan(estimate.low):
        low, high = LABEL + SCALE * estimate.low, LABEL + SCALE * estimate.high
        shapes.append(
            f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="currentColor" stroke-width="2">'
            f"<title>{format_interval(estimate)}</title></path>"
        )
    if not math.isnan(estimate.chance):
        x = LABEL + SCALE * estimate.chance
        shapes.append(f'<path d="M{x:.1f} {top}V{top + BAR}" stroke="#D55E00" stroke-width="2"/>')
    return "".join(shapes)
