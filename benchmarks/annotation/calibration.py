"""Thresholds of a tagger's classes, and how well its tags, vocals and speech agree with annotations."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Scores = NDArray[np.float32]
NEVER = math.inf  # the threshold of a class that is not given


@dataclass(frozen=True)
class ThresholdRule:
    """When a class is given: the lowest threshold whose tags are right often enough on the development half.

    Of the development tracks with at least that score at least `precision` have the class, and with a probability of
    `confidence` more than `floor` of such tracks (the lower end of Wilson's interval, one-sided). At most the share
    `false_positives` of the tracks without it reach that score: annotated tracks have a class far more often than a
    library's do, so precision on them alone promises too much.
    """

    precision: float = 0.8
    floor: float = 0.6
    confidence: float = 0.9
    false_positives: float = 0.02

    def allows(self, hits: int, errors: int, absent: int) -> bool:
        """Whether a threshold may be used that gives a class to `hits` tracks with it, `errors` of `absent` without."""
        given = hits + errors
        return (
            hits > 0
            and hits >= self.precision * given
            and wilson_bound(hits, given, self.confidence) >= self.floor
            and errors <= self.false_positives * absent
        )


def wilson_bound(successes: int, trials: int, confidence: float) -> float:
    """Return the lower end of Wilson's one-sided interval of a proportion; 0 without trials.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if not trials:
        return 0.0
    z = NormalDist().inv_cdf(confidence)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (centre - spread) / (1 + z * z / trials))


def choose_threshold(scores: Scores, truth: Scores, rule: ThresholdRule) -> float:
    """Return the lowest score of a track from which the rule allows to give a class; NEVER where there is none.

    `scores` (n,) of one class; `truth` (n,) is 1, 0 or NaN, which does not count. One of several equal scores is
    taken with the others.
    """
    known = np.isfinite(truth)
    order = np.argsort(-scores[known], kind="stable")
    ranked, present = scores[known][order], truth[known][order] == 1
    hits = np.cumsum(present)
    absent = int(np.count_nonzero(~present))
    is_last = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]  # of equal scores
    for place in np.flatnonzero(is_last)[::-1].tolist():
        if rule.allows(int(hits[place]), place + 1 - int(hits[place]), absent):
            return float(ranked[place])
    return NEVER


def choose_thresholds(scores: Scores, truth: Scores, rule: ThresholdRule) -> NDArray[np.float64]:
    """Return the threshold of each class, (classes,), from scores and truth (tracks, classes)."""
    columns = range(scores.shape[1])
    return np.array([choose_threshold(scores[:, column], truth[:, column], rule) for column in columns])


@dataclass(frozen=True)
class TagCounts:
    """Counts of tracks: with a class and given it, without and given, with it and not given, all without it."""

    hits: int
    errors: int
    misses: int
    absent: int

    @property
    def precision(self) -> float:
        """Share of the given tags that are right; NaN where none is given."""
        return self.hits / (self.hits + self.errors) if self.hits + self.errors else math.nan

    @property
    def coverage(self) -> float:
        """Share of the tracks with the class that are given it (recall); NaN where no track has it."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else math.nan

    @property
    def false_positives(self) -> float:
        """Share of the tracks without the class that are given it; NaN where all have it."""
        return self.errors / self.absent if self.absent else math.nan

    def __add__(self, other: TagCounts) -> TagCounts:
        counts = (self.hits + other.hits, self.errors + other.errors, self.misses + other.misses)
        return TagCounts(*counts, self.absent + other.absent)


def count_tags(given: NDArray[np.bool_], truth: Scores) -> list[TagCounts]:
    """Compare given classes (tracks, classes) with what is known, for each class; unknown ones do not count."""
    present, absent = truth == 1, truth == 0
    return [
        TagCounts(
            int(np.count_nonzero(given[:, column] & present[:, column])),
            int(np.count_nonzero(given[:, column] & absent[:, column])),
            int(np.count_nonzero(~given[:, column] & present[:, column])),
            int(np.count_nonzero(absent[:, column])),
        )
        for column in range(given.shape[1])
    ]


def average_precision(scores: Scores, truth: Scores) -> float:
    """Return the mean precision at the ranks of the tracks with a class; NaN where no track has it or none lacks it.

    Of equal scores those of tracks without the class count as the higher ones.
    """
    known = np.isfinite(truth)
    present = truth[known] == 1
    if not present.any() or present.all():
        return math.nan
    order = np.lexsort((present, -scores[known]))
    ranked = present[order]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def pool(scores: Scores, method: str) -> Scores:
    """Pool the scores of a track's patches (patches, classes), (classes,): mean, max, or mean of the top quarter."""
    if method == "mean":
        return np.asarray(scores.mean(axis=0), np.float32)
    if method == "max":
        return np.asarray(scores.max(axis=0), np.float32)
    if method == "top":
        count = max(1, len(scores) // 4)
        return np.asarray(np.sort(scores, axis=0)[-count:].mean(axis=0), np.float32)
    raise ResonanceError(f"{method} pools no scores; expected is mean, max or top.")


def patch_share(scores: Scores, threshold: float) -> float:
    """Return the share of a track's patches (patches,) whose score reaches a threshold."""
    return float(np.mean(scores >= threshold))


def band(share: float, limits: tuple[float, float]) -> str:
    """Return "none" below the first limit of a share, "throughout" from the second, between them "some"."""
    return "none" if share < limits[0] else "some" if share < limits[1] else "throughout"


def confusion(actual: Sequence[Hashable], predicted: Sequence[Hashable]) -> Counter[tuple[Hashable, Hashable]]:
    """Count pairs of what is known and what is predicted; tracks of which nothing is known (None) do not count."""
    pairs = zip(actual, predicted, strict=True)
    return Counter(pair for pair in pairs if pair[0] is not None)


def format_confusion(counts: Counter[tuple[Hashable, Hashable]], names: Sequence[str]) -> str:
    """Format counts of pairs as a table in Markdown, a row for each known value."""
    rows = [[str(counts[row, column]) for column in names] for row in names]
    lines = [f"| known | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(row)} |" for name, row in zip(names, rows, strict=True))])
