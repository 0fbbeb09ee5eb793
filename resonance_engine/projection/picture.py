"""A map as a PNG."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from resonance_engine.projection.page import MappedTracks

INCHES, DPI = (9.0, 9.0), 100  # of the points; the legend comes to its right
LEGEND_SIZE = 8.0  # of a point in the legend, in 1/72 of an inch
LEGEND = 16  # words with a colour of their own; the rest is grey
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a900", "#7f5fc0", "#8c564b", "#17becf",
    "#98df8a", "#ff9896", "#6b6ecf", "#a55194", "#5f9e3a", "#c49c94",
)  # fmt: skip # as in the page's script
GREY = "#c4c4c4"


def draw_picture(tracks: MappedTracks, title: str, colour: str) -> bytes:
    """Return a PNG of a map, coloured by the words of a name, with a legend and the lines of playlists.

    Needs matplotlib, of the extra `viz`; ImportError without it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    words = np.array(tracks.words.get(colour, [""] * len(tracks)), dtype=object)
    counts = Counter(word for word in words if word)
    common = [word for word, _ in counts.most_common(LEGEND)]
    size = min(60.0, max(2.0, 20_000 / max(len(tracks), 1)))
    rest = ~np.isin(words.astype(str), common)
    if rest.any():
        x, y = tracks.points[rest].T
        axes.scatter(x, y, s=size, c=GREY, linewidths=0, label=f"others ({rest.sum():,})")
    for word, shade in zip(common, PALETTE, strict=False):
        inside = words == word
        label = f"{plain(word)} ({inside.sum():,})"
        x, y = tracks.points[inside].T
        axes.scatter(x, y, s=size, c=shade, linewidths=0, alpha=0.85, label=label)
    for (name, places), shade in zip(tracks.lines.items(), PALETTE[5:], strict=False):
        axes.plot(*tracks.points[list(places)].T, "-o", color=shade, markersize=5, linewidth=2, label=plain(name))
    axes.set_title(plain(title), parse_math=False)
    axes.set_aspect("equal")
    axes.set_axis_off()
    # Beside the points, wherever their proportions leave the edge of the axes; saving cuts off what is empty.
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, markerscale=LEGEND_SIZE / size**0.5
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # of a script that the font lacks; a box stands for it
        figure.savefig(file, format="png", bbox_inches="tight", pad_inches=0.2, metadata={"Software": "Resonance"})
    return file.getvalue()


def plain(word: str) -> str:
    """Return a word without characters that a font cannot draw or that turn the direction of what follows."""
    shown = "".join(character if character.isprintable() else " " for character in word)
    return shown if len(shown) <= 40 else f"{shown[:39]}…"
