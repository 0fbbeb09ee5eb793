"""Draw the cosines of two recordings' windows, with the passages that they have in common, as PNG.

Matplotlib comes with the extra `viz`, and is loaded when a picture is drawn.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING

from resonance_engine.audio.passage import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.search.passages import MatchingPassage
    from resonance_engine.store.records import DenseWindows

DPI = 120
LONGEST_NAME = 48
PATH_COLOUR = "#D55E00"  # of Okabe & Ito 2008, seen on all of viridis


def has_matplotlib() -> bool:
    """Return whether pictures can be drawn; loads nothing."""
    return find_spec("matplotlib") is not None


def draw_matrix(
    first: DenseWindows, second: DenseWindows, passages: Sequence[MatchingPassage], names: tuple[str, str]
) -> bytes:
    """Return a PNG of the matrix of cosines, with time in both recordings along its axes and a line for each passage.

    A cell stands for two windows by their middles.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(8.0, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    extent = (*time_limits(second), *time_limits(first))
    image = axes.imshow(first.vectors @ second.vectors.T, origin="lower", aspect="auto", extent=extent, vmin=0, vmax=1)
    for passage in passages:
        rows, columns = zip(*passage.path, strict=True)
        x = [middle(second, column) for column in columns]
        y = [middle(first, row) for row in rows]
        axes.plot(x, y, color=PATH_COLOUR, linewidth=2.0, marker="o", markersize=3.0)
        axes.annotate(f"{passage.score:.2f}", (x[-1], y[-1]), color=PATH_COLOUR, xytext=(4, 4),
                      textcoords="offset points", fontsize=9, weight="bold")  # fmt: skip
    for axis, name in ((axes.xaxis, names[1]), (axes.yaxis, names[0])):
        axis.set_major_formatter(FuncFormatter(lambda seconds, _: format_time(max(0, round(seconds)))))
        axis.set_label_text(shorten_name(name))
    figure.colorbar(image, ax=axes, label="similarity of windows (cosine)")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": "Resonance"})
    return content.getvalue()


def time_limits(windows: DenseWindows) -> tuple[float, float]:
    """Return the edges, in seconds, of the first and the last cell of an axis."""
    return middle(windows, -0.5), middle(windows, len(windows.vectors) - 0.5)


def middle(windows: DenseWindows, number: float) -> float:
    """Return the second in the middle of a window."""
    return windows.hop * number + windows.length / 2


def shorten_name(name: str) -> str:
    """Shorten a name for an axis, and escape what matplotlib takes for mathematics."""
    plain = " ".join(name.split()).replace("$", r"\$")
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 1]}…"
