"""Pictures are SVG that shows each character and share in its place."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from demo.pictures import COLUMN, FACETS, MARGIN, WIDTH, draw_facets, draw_terminal, parse_bars
from demo.transcript import Example

SVG = "{http://www.w3.org/2000/svg}"
EXPLAINED = (
    "0.872  Steel & Guitar - <1> - Acoustic",
    "       semantic 51 %, timbre 29 %, harmony 12 %, rhythm 8 % [Similar: major key]",
    "0.500  Second - Album - Track",
    "       timbre 100 %",
)


def elements(picture: str, kind: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{SVG}{kind}"))  # noqa: S314 - likewise


def test_terminal_shows_every_line_in_its_columns() -> None:
    example = Example("beet similar '<x>' & y", ("0.900  A", "       indented"))
    picture = draw_terminal("beet", [example, example])
    texts = elements(picture, "text")[1:]
    lines: dict[str, list[ET.Element]] = {}
    for text in texts:
        lines.setdefault(text.attrib["y"], []).append(text)
    shown = ["".join((part.text or "").replace(" ", "") for part in line) for line in lines.values()]
    assert shown == ["$beetsimilar'<x>'&y", "0.900A", "indented"] * 2
    for text in texts:
        assert float(text.attrib["textLength"]) == pytest.approx(COLUMN * len(text.text or ""), abs=0.05)
    assert float(lines[list(lines)[2]][0].attrib["x"]) == pytest.approx(MARGIN + 7 * COLUMN)
    width = float(ET.fromstring(picture).attrib["width"])  # noqa: S314 - likewise
    assert all(float(text.attrib["x"]) + float(text.attrib["textLength"]) <= width - MARGIN + 1 for text in texts)


def test_bars_are_read_from_what_explain_prints() -> None:
    bars = parse_bars(EXPLAINED)
    assert [(bar.score, bar.track) for bar in bars] == [
        ("0.872", "Steel & Guitar - <1> - Acoustic"),
        ("0.500", "Second - Album - Track"),
    ]
    assert bars[0].shares == {"semantic": 51, "timbre": 29, "harmony": 12, "rhythm": 8}
    assert parse_bars(()) == []


def test_bars_are_as_long_as_scores_and_shares() -> None:
    picture = draw_facets("Why", parse_bars(EXPLAINED))
    widths: dict[str, list[float]] = {}
    for piece in elements(picture, "rect")[1 + len(FACETS) :]:
        widths.setdefault(piece.attrib["y"], []).append(float(piece.attrib["width"]) + 1)
    (first, second) = (sum(row) for row in widths.values())
    assert first / second == pytest.approx(0.872 / 0.5, rel=0.01)
    assert max(first, second) < WIDTH
    assert len(widths[next(iter(widths))]) == 4
