"""Segment recall: the share of windows whose nearest window is of the same song."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUERIES_AT_A_TIME = 1024


def segment_recall(windows: NDArray[np.float32], song: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return 1 for each window (n, d) of unit length whose nearest other window is of the same `song` (n,), else 0.

    The candidates are all windows of other songs and the other windows of its own song; ties go to the earlier one.
    NaN for the only window of a song. Windows of a short song may overlap, which makes this an easy task: it
    shows whether training has begun to work, not which model to choose.
    """
    values = np.empty(len(windows))
    for start in range(0, len(windows), QUERIES_AT_A_TIME):
        rows = np.arange(start, min(start + QUERIES_AT_A_TIME, len(windows)))
        similarity = windows[rows] @ windows.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        values[rows] = song[similarity.argmax(axis=1)] == song[rows]
    return np.where(sibling_counts(song) > 0, values, np.nan)


def segment_chance(song: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the expected value of `segment_recall` of each window when the nearest is random."""
    others = sibling_counts(song)
    return np.where(others > 0, others / max(len(song) - 1, 1), np.nan)


def sibling_counts(song: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the other windows of each window's song."""
    _, member, counts = np.unique(song, return_inverse=True, return_counts=True)
    return np.asarray(counts[member] - 1, np.int64)
