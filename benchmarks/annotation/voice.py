"""How much of a track is sung or spoken, from the scores of its patches: choose limits, count confusions."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.annotation.calibration import band, confusion, patch_share

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from benchmarks.annotation.calibration import Scores

GRID: tuple[float, ...] = tuple(np.round(np.geomspace(0.005, 0.95, 40), 4).tolist())  # thresholds of a patch's score
LOW, HIGH = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), (0.5, 0.6, 0.7, 0.8, 0.9)  # limits of the share of patches
BANDS = ("none", "some", "throughout")
# Of the evidence of `search.voice`: the sum of the classes of singing, the highest of vocalists, speech in music.
SOME_GRID = ((0.01, 0.015, 0.02, 0.03), (0.1, 0.12, 0.15), (0.03, 0.05, 0.1, 0.15))
THROUGHOUT_GRID = ((0.03, 0.05, 0.1), (0.12, 0.15, 0.2), (0.2, 0.25, 0.3, 0.4))
MOST_FALSE = 0.1  # share of tracks without vocals, speech over music among them, that may get some


class Bands(NamedTuple):
    """A patch counts from `threshold`; shares of patches below `limits` are none, some, or else throughout."""

    threshold: float
    limits: tuple[float, float]

    def predict(self, scores: Scores) -> str:
        """Return the band of a track's patch scores (patches,)."""
        return band(patch_share(scores, self.threshold), self.limits)


def balanced_accuracy(counts: Counter[tuple[Hashable, Hashable]]) -> float:
    """Return the mean over the known values of the share that is predicted right; 0 without any."""
    totals: dict[Hashable, int] = {}
    for (actual, _), count in counts.items():
        totals[actual] = totals.get(actual, 0) + count
    shares = [counts[value, value] / total for value, total in totals.items()]
    return float(np.mean(shares)) if shares else 0.0


def choose_bands(scores: Sequence[Scores], actual: Sequence[str | None]) -> Bands:
    """Return the threshold and limits with the highest balanced accuracy; of equal ones the middle of the thresholds.

    `scores` are those of each track's patches, (patches,).
    """
    candidates = [Bands(threshold, limits) for threshold in GRID for limits in product(LOW, HIGH)]

    accuracies = [
        balanced_accuracy(confusion(actual, [bands.predict(patches) for patches in scores])) for bands in candidates
    ]
    best = max(accuracies)
    equals = [bands for bands, accuracy in zip(candidates, accuracies, strict=True) if accuracy == best]
    return equals[len(equals) // 2]


def share_error(scores: Sequence[Scores], shares: Sequence[float | None], threshold: float) -> float:
    """Return the mean absolute error of the share of patches from `threshold` against known shares, NaN without any."""
    errors = [
        abs(patch_share(patches, threshold) - share)
        for patches, share in zip(scores, shares, strict=True)
        if share is not None
    ]
    return float(np.mean(errors)) if errors else float("nan")


def choose_share_threshold(scores: Sequence[Scores], shares: Sequence[float | None]) -> float:
    """Return the threshold of a patch's score with the lowest error of shares; of equal ones the middle."""
    errors = [share_error(scores, shares, threshold) for threshold in GRID]
    equals = [threshold for threshold, error in zip(GRID, errors, strict=True) if error == min(errors)]
    return equals[len(equals) // 2]


class VocalLimits(NamedTuple):
    """Limits of `search.voice`: SOME and THROUGHOUT, each of singing, of vocalists and of speech in music."""

    some: tuple[float, ...]
    throughout: tuple[float, ...]

    def predict(self, evidence: Scores) -> NDArray[np.intp]:
        """Return places in BANDS (n,) of tracks by their evidence (n, 3)."""
        reached = [(evidence >= np.array(limits)).any(axis=1) for limits in self]
        places: NDArray[np.intp] = np.sum(reached, axis=0, dtype=np.intp)
        return places


def choose_vocal_limits(evidence: Scores, actual: Sequence[str | None], spoken: NDArray[np.bool_]) -> list[VocalLimits]:
    """Return the limits of the grid with the highest balanced accuracy, all equal ones.

    `evidence` (n, 3) is that of `search.voice`, `spoken` (n,) says which recordings are speech alone and count as none.
    At most MOST_FALSE of the tracks of music without vocals may get any.
    """
    known = [(row, BANDS.index(name)) for row, name in enumerate(actual) if name is not None]
    rows, truth = np.array([row for row, _ in known]), np.array([place for _, place in known])
    best: list[VocalLimits] = []
    highest = 0.0
    for some, throughout in product(product(*SOME_GRID), product(*THROUGHOUT_GRID)):
        limits = VocalLimits(some, throughout)
        predicted = np.where(spoken, 0, limits.predict(evidence))[rows]
        if np.mean(predicted[truth == 0] > 0) > MOST_FALSE:
            continue
        accuracy = float(np.mean([np.mean(predicted[truth == place] == place) for place in np.unique(truth)]))
        if accuracy > highest:
            best, highest = [], accuracy
        best += [limits] if accuracy == highest else []
    return best
