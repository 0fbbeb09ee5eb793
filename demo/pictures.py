"""Pictures of the README as SVG: a terminal, and the shares of facets in a list."""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from demo.transcript import PROMPT, Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

# A terminal: dark, whatever the page around it is. All lengths are in pixels.
COLUMN, LINE, MARGIN, TITLE_BAR = 8.4, 20, 18, 34
TEXT, DIM, GREEN, BLUE, GROUND = "#d6deeb", "#8b98a9", "#7fdb8f", "#82aaff", "#131a24"
STYLES = (
    (re.compile(r"^\$ "), GREEN),
    (re.compile(r"^-?\d\.\d{3}(?= )"), BLUE),
    (re.compile(r"^ +\S.*$"), DIM),
)

# Facets by their place in the model's sum; colours of Okabe and Ito, which the colour-blind can tell apart.
FACETS = {
    "timbre": "#0072b2",
    "harmony": "#e69f00",
    "rhythm": "#d55e00",
    "semantic": "#009e73",
    "instrumentation": "#cc79a7",
}
SHARE = re.compile(rf"({'|'.join(FACETS)}) (\d+) %")
BAR, ROW, LABEL, WIDTH = 22, 58, 16, 720
ROOM = 36  # of a percentage
INK = {"harmony": "#1b1f24", "instrumentation": "#1b1f24"}  # on the light ones


class Bar(NamedTuple):
    """A track of a list: its score, its name, and the percentages of facets in its similarity."""

    score: str
    track: str
    shares: dict[str, int]


def draw_terminal(title: str, examples: Sequence[Example]) -> str:
    """Return a terminal window in which the examples were typed."""
    lines = [line for example in examples for line in ("", PROMPT + example.command, *example.output)][1:]
    width = round(2 * MARGIN + COLUMN * max(map(len, lines)))
    height = TITLE_BAR + LINE * len(lines) + MARGIN
    parts = [
        f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>',
        *(
            f'<circle cx="{MARGIN + 4 + 18 * place}" cy="17" r="5.5" fill="{colour}"/>'
            for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        f'<text x="{width / 2:g}" y="22" text-anchor="middle" fill="{DIM}">{escape(title)}</text>',
    ]
    for number, line in enumerate(lines):
        y = TITLE_BAR + LINE * (number + 0.75)
        parts += [draw_text(column, y, text, colour) for column, text, colour in coloured(line)]
    label = f"A terminal: {'; '.join(example.command for example in examples)}"
    return draw_svg(width, height, label, MONOSPACE, 14, parts)


def coloured(line: str) -> Iterable[tuple[int, str, str]]:
    """Yield the parts of a line with their first columns and colours."""
    for pattern, colour in STYLES:
        if match := pattern.search(line):
            yield 0, match[0], colour
            yield match.end(), line[match.end() :], TEXT
            return
    yield 0, line, TEXT


def draw_text(column: int, y: float, text: str, colour: str) -> str:
    """Return text that keeps to its columns whatever font there is; spaces at its start move it."""
    inner = text.strip()
    x = MARGIN + COLUMN * (column + len(text) - len(text.lstrip()))
    length = f'textLength="{COLUMN * len(inner):.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:.1f}" y="{y:g}" {length} fill="{colour}">{escape(inner)}</text>' if inner else ""


def parse_bars(lines: Sequence[str]) -> list[Bar]:
    """Return the tracks that `beet similar --explain` printed, with the shares below each."""
    bars = []
    for line, below in pairwise(lines):
        if shares := {name: int(percent) for name, percent in SHARE.findall(below)}:
            score, track = line.split(maxsplit=1)
            bars.append(Bar(score, track, shares))
    return bars


def draw_facets(title: str, bars: Sequence[Bar]) -> str:
    """Return a row for each track: a bar as long as its score, divided by facets, in the colours of a legend."""
    scale = (WIDTH - 2 * LABEL - 50) / 100.0
    parts = [
        f'<rect width="{WIDTH}" height="{84 + ROW * len(bars)}" rx="8" fill="#ffffff"/>',
        f'<text x="{LABEL}" y="28" font-weight="600" fill="#1b1f24">{escape(title)}</text>',
    ]
    x = float(LABEL)
    for name, colour in FACETS.items():
        parts.append(f'<rect x="{x:g}" y="44" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18:g}" y="55" fill="#41474e">{name}</text>')
        x += 44 + 7.6 * len(name)
    for number, bar in enumerate(bars):
        y = 74 + ROW * number
        parts.append(f'<text x="{LABEL}" y="{y + 18}" fill="#1b1f24">{escape(bar.track)}</text>')
        parts += draw_bar(bar, LABEL, y + 26, scale * max(0.0, float(bar.score)))
    label = f"{title}: " + "; ".join(f"{bar.track} {bar.score}" for bar in bars)
    return draw_svg(WIDTH, 84 + ROW * len(bars), label, SANS, 14, parts)


def draw_bar(bar: Bar, x: float, y: int, scale: float) -> Iterable[str]:
    """Yield the pieces of a bar, the percentage in those that have room for it, and the score at its end."""
    for name, colour in FACETS.items():
        percent = bar.shares.get(name, 0)
        width = scale * percent
        if percent:
            yield f'<rect x="{x:.1f}" y="{y}" width="{max(0.5, width - 1):.1f}" height="{BAR}" fill="{colour}"/>'
        if width >= ROOM:
            place = f'x="{x + width / 2:.1f}" y="{y + 16}" text-anchor="middle"'
            yield f'<text {place} fill="{INK.get(name, "#ffffff")}" font-size="12">{percent} %</text>'
        x += width
    yield f'<text x="{x + 6:.1f}" y="{y + 16}" fill="#41474e">{bar.score}</text>'


def draw_svg(width: int, height: int, label: str, font: str, size: int, parts: Iterable[str]) -> str:
    """Return an SVG file with a description for those who cannot see it."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="{font}" font-size="{size}" role="img">',
            f"<title>{escape(label)}</title>",
            *filter(None, parts),
            "</svg>\n",
        )
    )
