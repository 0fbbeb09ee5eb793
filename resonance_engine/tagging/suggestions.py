"""Suggestions from votes: the labels that are sure enough, and how precise these are with artists left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv

from resonance_engine.evaluation.statistics import bootstrap_interval
from resonance_engine.tagging.tracks import UNKNOWN
from resonance_engine.tagging.vote import NO_VOTER, VoteSettings, nearest_voters, vote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.tagging.tracks import LabelledTracks
    from resonance_engine.tagging.vote import Array, Places

THRESHOLD = 0.6  # chosen in `benchmarks.tagging`
MOST_SUGGESTED = 3
LEAST_CARRIERS = 2  # neighbours with a label; a single one is no vote
LEVEL = 0.95


class Suggestion(NamedTuple):
    """A label with its confidence, 0 to 1, and how many of the neighbours carry it."""

    label: str
    confidence: float
    carriers: int


class Proportion(NamedTuple):
    """`hits` of `trials` with the 95 % interval of Clopper and Pearson (1934)."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        return self.hits / self.trials if self.trials else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        low, high = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        misses = self.trials - self.hits
        return (
            float(betaincinv(self.hits, misses + 1, low)) if self.hits else 0.0,
            float(betaincinv(self.hits + 1, misses, high)) if misses else 1.0,
        )


class VoteAgreement(NamedTuple):
    """How suggestions agree with labels: right ones among the suggested tracks, and suggested ones among all."""

    precision: Proportion
    coverage: Proportion


class VoteEvaluation(NamedTuple):
    """The agreement of suggestions with labels, and what to compare their precision with.

    `interval` is the 95 % one of the precision over whole albums, `commonest` the label that most of the suggested
    tracks carry, `share` the part of them that do: the precision of that label for all of them. NaN and empty where
    nothing is suggested.
    """

    precision: Proportion
    coverage: Proportion
    interval: tuple[float, float]
    commonest: str
    share: float

    @property
    def is_better_than_commonest(self) -> bool:
        """Whether suggestions are right more often than the commonest label; not where nothing is suggested."""
        return self.interval[0] > self.share


class Votes(NamedTuple):
    """The vote on tracks at places (q,), ascending: `neighbours` (q, k) and the `shares` of labels (q, labels)."""

    queries: Places
    neighbours: Places
    shares: Array

    def of(self, places: Places) -> Votes:
        """Return the votes on some of the tracks, by places that are among the queries."""
        rows = np.searchsorted(self.queries, places)
        return Votes(places, self.neighbours[rows], self.shares[rows])


def hold_vote(tracks: LabelledTracks, queries: Places, settings: VoteSettings) -> Votes:
    """Return the vote of the labelled tracks on tracks at places (q,), ascending."""
    neighbours = nearest_voters(tracks, queries, tracks.labelled, settings.neighbours)
    return Votes(queries, neighbours.places, vote(tracks, neighbours, settings))


def suggest(tracks: LabelledTracks, votes: Votes, threshold: float = THRESHOLD) -> list[list[Suggestion]]:
    """Return the labels whose shares reach the threshold, the surest first, at most MOST_SUGGESTED a track.

    A label that a single neighbour carries is none of them.
    """
    chosen = []
    for row, places in zip(votes.shares, votes.neighbours, strict=True):
        best = np.argsort(-row, kind="stable")[:MOST_SUGGESTED]
        carriers = tracks.has_label[places[places != NO_VOTER]][:, best].sum(axis=0)
        suggestions = [
            Suggestion(tracks.labels[column], float(row[column]), count)
            for column, count in zip(best.tolist(), carriers.tolist(), strict=True)
        ]
        chosen.append(
            [each for each in suggestions if each.confidence >= threshold and each.carriers >= LEAST_CARRIERS]
        )
    return chosen


def evaluate(tracks: LabelledTracks, votes: Votes, threshold: float = THRESHOLD) -> VoteEvaluation:
    """Return how the surest suggestion agrees with the labels of labelled tracks, on which the votes are."""
    shares = eligible_shares(tracks, votes)
    truth = tracks.has_label[votes.queries]
    is_sure, is_right = judge(shares, truth, threshold)
    if not is_sure.any():
        return VoteEvaluation(*agreement(shares, truth, threshold), (math.nan, math.nan), "", math.nan)
    carried = truth[is_sure].mean(axis=0)
    best = int(carried.argmax())
    interval = precision_interval(is_right[is_sure], album_groups(tracks, votes.queries[is_sure]))
    return VoteEvaluation(*agreement(shares, truth, threshold), interval, tracks.labels[best], float(carried[best]))


def precision_interval(is_right: NDArray[np.bool_], groups: NDArray[np.str_]) -> tuple[float, float]:
    """Return the 95 % interval of the share of right suggestions (n,), n at least 1, over whole groups (n,).

    Where no draw of groups differs, such as with one group or with all right, it is that of Clopper and Pearson with
    the groups as trials.
    """
    low, high = bootstrap_interval(is_right.astype(np.float64), groups)
    if low < high:
        return low, high
    trials = len(np.unique(groups))
    return Proportion(round(float(is_right.mean()) * trials), trials).interval


def album_groups(tracks: LabelledTracks, places: Places) -> NDArray[np.str_]:
    """Return a name (n,) for the album of each track at places (n,), one of its own where it is unknown."""
    albums = tracks.albums[places].tolist()
    return np.array(
        [f"track {place}" if album == UNKNOWN else str(album) for place, album in zip(places, albums, strict=True)]
    )


def eligible_shares(tracks: LabelledTracks, votes: Votes) -> Array:
    """Return the shares (q, labels), 0 for labels that a single neighbour carries."""
    is_carried = carrier_counts(tracks, votes.neighbours) >= LEAST_CARRIERS
    return np.asarray(votes.shares * is_carried, np.float32)


def carrier_counts(tracks: LabelledTracks, neighbours: Places) -> NDArray[np.int64]:
    """Return how many of the neighbours (q, k) carry each label, (q, labels)."""
    counts = np.zeros((len(neighbours), len(tracks.labels)), np.int64)
    for column in neighbours.T:
        counts += tracks.has_label[column] & (column != NO_VOTER)[:, None]
    return counts


def agreement(shares: Array, truth: NDArray[np.bool_], threshold: float) -> VoteAgreement:
    """Return the agreement of shares (q, labels) with the labels (q, labels) of the same tracks.

    Right is a track whose label with the greatest share, of at least the threshold, is one of its own.
    """
    is_sure, is_right = judge(shares, truth, threshold)
    sure = int(is_sure.sum())
    return VoteAgreement(Proportion(int(is_right.sum()), sure), Proportion(sure, len(shares)))


def judge(shares: Array, truth: NDArray[np.bool_], threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tracks (q,) have a share of at least the threshold, and on which of them the greatest is right."""
    if not shares.size:
        return np.zeros(len(shares), np.bool_), np.zeros(len(shares), np.bool_)
    best = shares.argmax(axis=1)
    rows = np.arange(len(shares))
    is_sure = (shares[rows, best] >= threshold) & (shares[rows, best] > 0)
    return is_sure, is_sure & truth[rows, best]
