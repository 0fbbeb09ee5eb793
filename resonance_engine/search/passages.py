"""Find passages that two recordings have in common: local alignments of their windows' embeddings.

Smith & Waterman 1981 on the matrix of cosines, as Serra et al. 2009 (Qmax) use it for cover songs: paths go along
diagonals and may leave one by a step, which is how a passage that is played faster or slower looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from resonance_engine.store.records import DenseWindows, Matrix

Cell = tuple[int, int]
MARGIN = 5  # windows that overlap one, of 18 s every 4 s
STEPS: tuple[Cell, ...] = ((1, 1), (1, 2), (2, 1))
"""From one cell of a path to the next: along the diagonal, or past one window of the second or the first recording."""


@dataclass(frozen=True)
class Alignment:
    """What decides on a passage: cosines, and `margin`, a share of a window's length.

    `level` is the cosine that adds nothing to a path's score, or what is usual for the two windows and `contrast` more,
    where that is higher and the cosine below `same`; `step` is lost for each step beside the diagonal. A path counts
    from a score of `least` on.
    A passage begins and ends by `margin` inside of where the cosine falls below `edge` times that of its middle.
    """

    level: float = 0.5
    contrast: float = 0.1
    same: float = 0.98
    step: float = 0.1
    least: float = 0.4
    edge: float = 0.9
    margin: float = 2.6 / 18


@dataclass(frozen=True)
class MatchingPassage:
    """A stretch of a recording and the one of another that is similar, each as begin and end in seconds.

    `similarity` is the mean cosine of the windows along the path, `score` the path's excess over what is usual for the
    two recordings, which grows with the length; `path` are the numbers of windows.
    """

    first: tuple[float, float]
    second: tuple[float, float]
    similarity: float
    score: float
    path: tuple[Cell, ...]


def find_passages(
    first: DenseWindows, second: DenseWindows, most: int = 3, alignment: Alignment = Alignment()
) -> list[MatchingPassage]:
    """Return up to `most` passages of two recordings that are similar, by score; no two share a window pair's place."""
    cosines = first.vectors @ second.vectors.T
    weights = weigh(cosines, alignment)
    passages: list[MatchingPassage] = []
    while len(passages) < most:
        score, path = align(weights, alignment.step)
        if score < alignment.least:
            break
        passages.append(measure_passage(first, second, cosines, path, score, alignment))
        for row, column in path:  # the same stretch beside its diagonal is no other passage
            weights[row, max(0, column - MARGIN) : column + MARGIN + 1] = -1.0
            weights[max(0, row - MARGIN) : row + MARGIN + 1, column] = -1.0
    return passages


def measure_passage(
    first: DenseWindows, second: DenseWindows, cosines: Matrix, path: list[Cell], score: float, alignment: Alignment
) -> MatchingPassage:
    """Return the passage of a path, with the times at which it begins and ends.

    A window that is partly of the passage is a little less similar than one inside: the path is cut where the cosine
    falls below `edge` times the median of its upper half, between two windows in proportion, and `margin`, which such a
    window usually reaches out, is taken off. What lasts to a recording's end is left whole.
    """
    along = np.array([cosines[cell] for cell in path])
    level = alignment.edge * float(np.median(np.sort(along)[len(along) // 2 :]))
    inside = np.flatnonzero(along >= level)
    begin, end = int(inside[0]), int(inside[-1])
    lead = reach(cosines, path[begin], (-1, -1), level)
    tail = reach(cosines, path[end], (1, 1), level)
    spans = []
    for axis, dense in enumerate((first, second)):
        start, stop = dense.hop * (path[begin][axis] - lead), dense.hop * (path[end][axis] + tail) + dense.length
        whole = dense.hop * (len(dense.vectors) - 1) + dense.length
        margin = dense.length * min(alignment.margin, 0.5)  # to the middle of a window at most
        start, stop = max(0.0, start + margin), min(whole, stop - margin)
        spans.append((start if path[begin][axis] else 0.0, stop if path[end][axis] < len(dense.vectors) - 1 else whole))
    similarity = float(along[begin : end + 1].mean())
    return MatchingPassage(spans[0], spans[1], similarity, score, tuple(path[begin : end + 1]))


def reach(cosines: Matrix, cell: Cell, step: Cell, level: float) -> float:
    """Return how far the cosine stays above a level beyond a cell, as a share of the step to the next, 0 to 1."""
    row, column = cell[0] + step[0], cell[1] + step[1]
    if not (0 <= row < cosines.shape[0] and 0 <= column < cosines.shape[1]):
        return 0.0
    here, there = float(cosines[cell]), float(cosines[row, column])
    return 1.0 if there >= level else (here - level) / (here - there)


def weigh(cosines: Matrix, alignment: Alignment) -> Matrix:
    """Return the excess of cosines (n, m) over `level`, and over what is usual for the two windows by `contrast`.

    That is the lower of the medians of row and column. Two recordings of one kind are similar everywhere, and a passage
    is where they are more so; one that goes on alike is similar all along to a window of a passage from it. From `same`
    on, what is usual plays no part: a recording that goes on alike is similar to its copy.
    """
    usual = np.minimum(np.median(cosines, axis=1)[:, np.newaxis], np.median(cosines, axis=0)[np.newaxis])
    threshold = np.maximum(alignment.level, usual + alignment.contrast)
    return np.asarray(cosines - np.where(cosines < alignment.same, threshold, alignment.level))


def align(weights: Matrix, step: float) -> tuple[float, list[Cell]]:
    """Return the best path through a matrix of weights (n, m), and its score; 0 and no cell where none is above 0.

    A path takes `STEPS`; its score is the sum of its weights, less `step` for each step beside the diagonal.
    """
    rows, columns = weights.shape
    scores = np.zeros((rows + 2, columns + 2))
    for row in range(rows):
        before = scores[row + 1]
        best = np.maximum(before[1:-1], np.maximum(before[:-2], scores[row, 1:-1]) - step)
        scores[row + 2, 2:] = np.maximum(np.maximum(best, 0.0) + weights[row], 0.0)
    return float(scores.max()), trace(scores, step)


def trace(scores: Matrix, step: float) -> list[Cell]:
    """Return the cells of the path that ends at the highest score, in order."""
    row, column = (int(place) - 2 for place in np.unravel_index(np.argmax(scores), scores.shape))
    path: list[Cell] = []
    while row >= 0 and column >= 0 and scores[row + 2, column + 2] > 0:
        path.append((row, column))
        before = [scores[row + 2 - i, column + 2 - j] - (step if i != j else 0.0) for i, j in STEPS]
        best = int(np.argmax(before))
        if before[best] <= 0:
            break
        row, column = row - STEPS[best][0], column - STEPS[best][1]
    return path[::-1]
