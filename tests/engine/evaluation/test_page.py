"""The report as Markdown and as a page: every number of the table, hostile names as text, nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from resonance_engine.evaluation.comparison import compare_tracks
from resonance_engine.evaluation.page import comparison_table, format_markdown, format_page
from resonance_engine.evaluation.report import report_tables
from tests.embeddings import unit_vectors
from tests.engine.evaluation.labelled_tracks import LabelledTrack
from tests.engine.evaluation.test_report import SONGS, world

HOSTILE = "</script><img onerror=alert(1)>|\u202e"


class Page(HTMLParser):
    """The elements of a page, and the text in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def test_page_and_markdown_hold_every_cell() -> None:
    report = world(SONGS)
    tables = [comparison_table(compare_tracks(unit_vectors(48), unit_vectors(48, seed=5), SONGS), ("a", HOSTILE))]
    page = Page(format_page("Evaluation", report, [HOSTILE], tables))
    markdown = format_markdown("Evaluation", report, [HOSTILE], tables)
    for table in [*tables, *report_tables(report)]:
        assert table.title in page.text
        assert f"## {table.title}" in markdown
        for row in table.rows:
            assert all(cell.strip() in page.text for cell in row)
            line = " | ".join(cell.strip().replace("|", "\\|") for cell in row)
            assert f"| {line}" in markdown


def test_names_are_text_and_nothing_is_loaded() -> None:
    page = Page(format_page(HOSTILE, world([LabelledTrack()] * 3), [HOSTILE], []))
    assert not {"script", "img", "link", "iframe"} & {*page.elements}
    assert not {"src", "href", "onerror"} & {*page.attributes}
    assert HOSTILE in page.text


def test_bars_are_as_long_as_the_values() -> None:
    report = world(SONGS)
    page = format_page("Evaluation", report, [], [])
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', page)]
    values = [task.metrics[name].value for task in report.tasks if task.name in ("album", "artist")
              for name in ("recall@1", "recall@10", "map")]  # fmt: skip
    assert len(widths) == len(values)
    assert all(abs(width / 420 - value) < 1e-3 for width, value in zip(widths, values, strict=True))
