"""Counts with their intervals, and the number of false groups to expect in a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import betaincinv

LEVEL = 0.95
ALBUM = 12  # tracks of an album in a library


@dataclass(frozen=True)
class HitRate:
    """So many hits of so many."""

    hits: int
    count: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the limits of Clopper & Pearson 1934, each of which errs with half of what `level` leaves."""
        half = (1 - level) / 2
        low = float(betaincinv(self.hits, self.count - self.hits + 1, half)) if self.hits else 0.0
        high = float(betaincinv(self.hits + 1, self.count - self.hits, 1 - half)) if self.hits < self.count else 1.0
        return low, high

    def upper(self, level: float = LEVEL) -> float:
        """Return the one-sided upper limit."""
        return self.interval(2 * level - 1)[1]

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.hits:,} of {self.count:,} ({low:.1%} to {high:.1%})"


class StageCounts(NamedTuple):
    """Pairs of different recordings, of one album or of two: how many pass the stages of the comparison.

    `near` are above the least cosine, `alike` are of lengths that agree, `false` pass all stages. `agreeing` are those
    whose windows agree, of the pairs that are both near and of lengths that agree.
    """

    near: HitRate
    alike: HitRate
    false: HitRate
    agreeing: HitRate


class ExpectedGroups(NamedTuple):
    """False groups in a library: pairs to compare windows of, and groups, as expected and at most."""

    candidates: float
    most_candidates: float
    groups: float
    most_groups: float


def count_pairs(tracks: int) -> tuple[float, float]:
    """Return the pairs of a library of albums of twelve within an album, and across two."""
    within = tracks * (ALBUM - 1) / 2
    return within, tracks * (tracks - 1) / 2 - within


def expect_groups(pairs: float, counts: StageCounts, agreeing: HitRate) -> ExpectedGroups:
    """Expect so many false groups among pairs of different recordings.

    A pair is a candidate where it is near and its lengths agree, which is taken as independent; a group where its
    windows agree, too, which is as likely as `agreeing`, among pairs that are hard to tell apart. Each of the three
    upper limits errs with a third of what 95 % leaves, so that together they hold.
    """
    level = 1 - (1 - LEVEL) / 3
    length = counts.alike.hits / counts.alike.count
    candidates = pairs * length * counts.near.hits / counts.near.count
    most = pairs * counts.alike.upper(level) * counts.near.upper(level)
    return ExpectedGroups(candidates, most, candidates * agreeing.hits / agreeing.count, most * agreeing.upper(level))
