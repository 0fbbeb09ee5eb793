"""How much of a track is sung or spoken, from the scores of its patches: choose limits, count confusions."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.annotation.calibration import band, confusion, patch_share

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable, Sequence

    from benchmarks.annotation.calibration import Scores

GRID: tuple[float, ...] = tuple(np.round(np.geomspace(0.005, 0.95, 40), 4).tolist())  # thresholds of a patch's score
LOW, HIGH = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), (0.5, 0.6, 0.7, 0.8, 0.9)  # limits of the share of patches
BANDS = ("none", "some", "throughout")


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
