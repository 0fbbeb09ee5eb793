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
    """What decides on a passage: all are cosines.

    `level` is the cosine that adds nothing to a path's score, where the recordings' usual cosine is not above `usual`;
    `step` is lost for each step beside the diagonal, and a path counts from a score of `least` on.
    """

    level: float = 0.85
    contrast: float = 0.15
    step: float = 0.15
    least: float = 0.2


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
        similarity = float(np.mean([cosines[cell] for cell in path]))
        (a, b), (c, d) = path[0], path[-1]
        spans = ((first, a, c), (second, b, d))
        begin_end = [(dense.hop * begin, dense.hop * end + dense.length) for dense, begin, end in spans]
        passages.append(MatchingPassage(begin_end[0], begin_end[1], similarity, score, tuple(path)))
        for row, column in path:  # the same stretch beside its diagonal is no other passage
            weights[row, max(0, column - MARGIN) : column + MARGIN + 1] = -1.0
            weights[max(0, row - MARGIN) : row + MARGIN + 1, column] = -1.0
    return passages


def weigh(cosines: Matrix, alignment: Alignment) -> Matrix:
    """Return the excess of cosines (n, m) over `level`, and over the median of their row and column by `contrast`.

    Two recordings of one kind are similar everywhere, and a passage is where they are more so.
    """
    usual = np.maximum(np.median(cosines, axis=1)[:, np.newaxis], np.median(cosines, axis=0)[np.newaxis])
    weights: Matrix = cosines - np.maximum(alignment.level, usual + alignment.contrast)
    return weights


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
