"""Figures of a training run and of an embedding space, as PNG; matplotlib is loaded when the first is drawn."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.errors import ResonanceError, printable
from resonance_engine.training.tuning.runs import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Columns = Mapping[str, NDArray[np.float64]]

# Okabe & Ito 2008, told apart with any colour vision; wine in place of their yellow, which white swallows.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#882255", "#000000")
REST = "#BBBBBB"
MARKERS = ("o", "s", "^", "D", "v")
LEGEND_GROUPS = 10  # groups in a legend
LONGEST_NAME = 28
DPI = 120


def read_log(path: Path) -> Columns:
    """Read the columns of a run's log.csv, NaN for empty cells; ResonanceError where it is no such file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {
            name: np.array([float(row[name] if row[name] != "" else "nan") for row in rows])
            for name in (rows[0] if rows else ())
        }
    except OSError as error:
        raise ResonanceError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ResonanceError(f"{printable(path)} is no log of a training run ({error}); remove it.") from error
    if columns and not {"epoch", "loss", "lr"} <= set(columns):
        raise ResonanceError(f"{printable(path)} is no log of a training run: it has no epoch, loss and lr; remove it.")
    return columns


def draw_training(log: Columns, metrics: Sequence[str] = ("recall@1", "recall@5", "map", "segment_recall")) -> Figure:
    """Draw loss, validation and learning rate by epoch, one below another."""
    validated = [name for name in metrics if name in log]
    rows = [2, 2, 1] if validated else [2, 1]
    figure, axes = new_figure((8.0, 7.0), nrows=len(rows), sharex=True, height_ratios=rows)
    draw_lines(axes[0], log, ["loss"], "loss (mean of batches)", marked=False)
    axes[0].set_title("Training")
    if validated:
        draw_lines(axes[1], log, validated, "on held-out songs (0 to 1)")
        place_legend(axes[1])
    draw_lines(axes[-1], log, ["lr"], "learning rate", PALETTE[3:], marked=False)
    axes[-1].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes[-1].set_ylim(bottom=0)
    label_epochs(axes[-1])
    figure.align_ylabels()
    return figure


def draw_gates(gates: NDArray[np.float32], modalities: Sequence[str], log: Columns | None = None) -> Figure:
    """Draw the mean gate of each modality by epoch, where it is logged, and its distribution over songs (n, m)."""
    columns = [f"gate_{name}" for name in modalities]
    logged = log if log is not None and all(name in log for name in columns) else None
    figure, axes = new_figure((9.0, 4.2), ncols=1 if logged is None else 2)
    if logged is not None:
        draw_lines(axes[0], logged, columns)
        axes[0].set_title("Mean over each epoch's batches")
        axes[0].legend(frameon=False)
        label_epochs(axes[0])
    last = axes[-1]
    box = last.boxplot(list(gates.T), tick_labels=list(modalities), widths=0.5, patch_artist=True, sym=".")
    for patch, colour in zip(box["boxes"], PALETTE, strict=False):
        patch.set(facecolor=colour, alpha=0.7)
    for line in box["medians"]:
        line.set_color("black")
    last.axhline(1 / len(modalities), color="grey", linewidth=1, linestyle=":")
    last.annotate("equal shares", (1, 1 / len(modalities)), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                  textcoords="offset points", ha="right", va="bottom", fontsize=8, color="dimgrey")  # fmt: skip
    last.set_title(f"Of {len(gates):,} held-out songs")
    for each in axes:
        each.set(ylabel="gate (share of the embedding)", ylim=(0, 1))
    return figure


def draw_projection(tracks: NDArray[np.float32], groups: Sequence[str], title: str) -> Figure:
    """Draw songs (n, d) on two principal components, coloured by group: the ten largest named, the rest grey."""
    places, shares = principal_components(tracks)
    sizes = Counter(group for group in groups if group)
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    largest = [name for name, count in ordered if count > 1][:LEGEND_GROUPS]
    labels = np.array(groups, np.str_)
    figure, (axes,) = new_figure((9.5, 6.0))
    others = ~np.isin(labels, np.array(largest, np.str_))
    if others.any():
        axes.scatter(
            places[others, 0], places[others, 1], s=14, color=REST, label=f"others ({others.sum():,})", linewidths=0
        )
    for number, name in enumerate(largest):
        member = labels == name
        axes.scatter(places[member, 0], places[member, 1], s=26, color=PALETTE[number % len(PALETTE)],
                     marker=MARKERS[number % len(MARKERS)], edgecolors="white", linewidths=0.4,
                     label=f"{shorten_name(name)} ({member.sum()})")  # fmt: skip
    axes.set_xlabel(f"first principal component ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second principal component ({shares[1]:.0%})")
    axes.set_title(title)
    place_legend(axes)
    return figure


def principal_components(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project vectors (n, d) on the two directions of largest variance, (n, 2), with their shares of it, (2,).

    The largest component of each direction is positive; missing directions are zero.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    places, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    total = np.square(lengths).sum()
    for axis in range(min(2, len(lengths)) if total > 0 else 0):
        direction = directions[axis]
        places[:, axis] = centred @ direction * np.sign(direction[np.abs(direction).argmax()])
        shares[axis] = lengths[axis] ** 2 / total
    return places, shares


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    write_file(path, buffer.getvalue())


def new_figure(size: tuple[float, float], **layout: Any) -> tuple[Figure, Sequence[Axes]]:
    """Create a figure that needs no screen and no closing, with axes in one row or column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Sequence[Axes] = figure.subplots(**layout, squeeze=False).ravel()
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#E5E5E5", linewidth=0.8)
        panel.set_axisbelow(True)
    return figure, axes


def draw_lines(
    axes: Axes,
    log: Columns,
    names: Sequence[str],
    label: str = "",
    colours: Sequence[str] = PALETTE,
    marked: bool = True,
) -> None:
    """Draw columns of a log by epoch; not `marked`, only a single point has a marker, as its line is invisible."""
    for colour, marker, name in zip(colours, MARKERS, names, strict=False):
        shown = marker if marked or len(log["epoch"]) == 1 else None
        text = name.removeprefix("gate_").replace("_", " ")
        axes.plot(log["epoch"], log[name], color=colour, marker=shown, markersize=4, label=text)
    axes.set_ylabel(label)


def place_legend(axes: Axes) -> None:
    """Place the legend beside the axes."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9, borderaxespad=0.0)


def label_epochs(axes: Axes) -> None:
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)


def shorten_name(name: str) -> str:
    """Shorten a name for a legend and escape what matplotlib takes for mathematics."""
    plain = " ".join(name.split()).replace("$", r"\$")
    return plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 1] + "…"
