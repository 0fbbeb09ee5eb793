"""Tracks whose tags disagree with how they sound, each with its evidence and a strength from 0 to 1."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.search.same_sound import scale_threshold
from resonance_engine.tagging.suggestions import agreement
from resonance_engine.tagging.tracks import UNKNOWN
from resonance_engine.tagging.vote import NO_VOTER, ROWS, VoteSettings, nearest_voters, vote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.tagging.tracks import LabelledTracks

    Array = NDArray[np.float32]

LEAST_SHARE = 0.6  # of the votes, for another label than the track's own
LEAST_CARRIERS = 5  # tracks of other artists with the track's own label, without which it could not win
LEAST_TRACKS = 5  # of an album, for a sound of its own
NEAREST = 3  # tracks of an album that one is compared with
# Cosines are those of a library whose tracks are at 0 on average; where they are nearer, differences are as much less.
LEAST_GAP = 0.2  # between the cosines to another album and to the own one
LEAST_COSINE = 0.5  # of two tracks with the same recording
SECONDS_APART = 10.0


class LabelOutlier(NamedTuple):
    """A track at `place` whose neighbours carry another label: counts of those with its `own` labels and the `other`.

    `strength` is the share of the votes of the other label less that of the own ones, times the precision (its lower
    bound) that such votes have in this library: where genres are not audible, votes are weak evidence.
    """

    place: int
    strength: float
    own: tuple[str, ...]
    own_carriers: int
    other: str
    other_carriers: int
    neighbours: int


class AlbumOutlier(NamedTuple):
    """A track at `place` that is nearer to another album than to its own, by the mean of its three greatest cosines.

    `nearest` is the place of the track of the other album that is nearest to it; `strength` half the difference
    by the spread of the library.
    """

    place: int
    strength: float
    own_cosine: float
    other_cosine: float
    nearest: int


class RecordingOutlier(NamedTuple):
    """A track at `place` that differs in length (s) or sound from the medoid, at `other`, of its recording's tracks."""

    place: int
    strength: float
    other: int
    seconds_apart: float
    cosine: float


def label_outliers(tracks: LabelledTracks, settings: VoteSettings) -> list[LabelOutlier]:
    """Return the labelled tracks whose neighbours by other artists agree on another label, the strongest first."""
    places = tracks.labelled
    neighbours = nearest_voters(tracks, places, places, settings.neighbours)
    shares, truth = vote(tracks, neighbours, settings), tracks.has_label[places]
    if not shares.size:
        return []
    own = np.where(truth, shares, 0).max(axis=1)
    others = np.where(truth, -1.0, shares)
    best = others.argmax(axis=1)
    other = others[np.arange(len(places)), best]
    reliability, _ = agreement(shares, truth, LEAST_SHARE).precision.interval
    carriers = tracks.has_label.sum(axis=0)
    outliers = []
    for row in np.flatnonzero((other >= LEAST_SHARE) & (other > own)).tolist():
        place, labels = int(places[row]), np.flatnonzero(truth[row])
        if max(carriers[labels]) - own_artist_carriers(tracks, place, labels) < LEAST_CARRIERS:
            continue
        voters = neighbours.places[row][neighbours.places[row] != NO_VOTER]
        own_count = int(tracks.has_label[voters][:, labels].any(axis=1).sum())
        other_count = int(tracks.has_label[voters, best[row]].sum())
        if other_count <= own_count:
            continue  # a few near ones outweigh more that are far: no evidence that counts would show
        outliers.append(
            LabelOutlier(
                place,
                reliability * float(other[row] - own[row]),
                tuple(tracks.labels[label] for label in labels),
                own_count,
                tracks.labels[best[row]],
                other_count,
                len(voters),
            )
        )
    return sorted(outliers, key=lambda each: (-each.strength, each.place))


def own_artist_carriers(tracks: LabelledTracks, place: int, labels: NDArray[np.int64]) -> int:
    """Return how many tracks of the artist or album of a track carry one of some labels, itself among them."""
    own = tracks.recordings == tracks.recordings[place]
    for codes in (tracks.artists, tracks.albums):
        if codes[place] != UNKNOWN:
            own = own | (codes == codes[place])
    return int(tracks.has_label[own][:, labels].any(axis=1).sum())


def album_outliers(tracks: LabelledTracks) -> list[AlbumOutlier]:
    """Return the tracks that sound more like another album than like their own, the strongest first.

    Only albums of LEAST_TRACKS and more have a sound that a track can differ from.
    """
    codes, sizes = np.unique(tracks.albums[tracks.albums != UNKNOWN], return_counts=True)
    large = codes[sizes >= LEAST_TRACKS]
    members = np.flatnonzero(np.isin(tracks.albums, large))
    if len(large) < 2:
        return []
    members = members[np.argsort(tracks.albums[members], kind="stable")]
    owners = np.searchsorted(large, tracks.albums[members])
    starts = np.searchsorted(owners, np.arange(len(large)))
    blocks = [slice(*edges) for edges in pairwise([*starts.tolist(), len(members)])]
    candidates = np.ascontiguousarray(tracks.vectors[members])
    outliers = []
    for first in range(0, len(members), ROWS):
        rows = np.arange(first, min(first + ROWS, len(members)))
        scores = candidates[rows] @ candidates.T
        scores[tracks.recordings[members[rows]][:, None] == tracks.recordings[members][None, :]] = -1.0
        greatest = np.maximum.reduceat(scores, starts, axis=1)
        for row, album in enumerate(owners[rows].tolist()):
            own = mean_of_greatest(scores[row, blocks[album]])
            greatest[row, album] = -1.0
            least = own + LEAST_GAP * tracks.spread
            best, other = closest_album(scores[row], greatest[row], blocks, least)
            if best is not None:
                outliers.append(
                    AlbumOutlier(
                        int(members[rows[row]]),
                        float(np.clip((other - own) / 2 / tracks.spread, 0, 1)),
                        own,
                        other,
                        int(members[blocks[best]][scores[row, blocks[best]].argmax()]),
                    )
                )
    return sorted(outliers, key=lambda each: (-each.strength, each.place))


def closest_album(scores: Array, greatest: Array, blocks: Sequence[slice], least: float) -> tuple[int | None, float]:
    """Return the album with the greatest mean of its NEAREST greatest scores, of those of at least `least`, and that.

    `scores` (n,) are those of one track, `greatest` (albums,) the greatest of each album's block of them. None where no
    album reaches it. A mean is never above the greatest, so most albums need no mean.
    """
    best, closest = None, least
    for album in np.flatnonzero(greatest >= least)[np.argsort(-greatest[greatest >= least], kind="stable")].tolist():
        if greatest[album] < closest:
            break
        mean = mean_of_greatest(scores[blocks[album]])
        if mean > closest or (best is None and mean == closest):
            best, closest = album, mean
    return best, closest


def mean_of_greatest(scores: Array) -> float:
    """Return the mean of the NEAREST greatest scores (n,), n at least NEAREST."""
    return float(np.partition(scores, -NEAREST)[-NEAREST:].mean())


def recording_outliers(tracks: LabelledTracks, ids: Sequence[str], seconds: Sequence[float]) -> list[RecordingOutlier]:
    """Return tracks tagged with one MusicBrainz recording that differ in length or sound, the strongest first.

    `ids` (n,) are empty and `seconds` (n,) 0 where unknown. Each track is compared with the medoid of that recording,
    the first of two.
    """
    sharing: defaultdict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(ids):
        if name:
            sharing[name].append(place)
    least = scale_threshold(LEAST_COSINE, tracks.spread)
    outliers = []
    for places in (places for places in sharing.values() if len(places) > 1):
        cosines = tracks.vectors[places] @ tracks.vectors[places].T
        apart, parts = compare_lengths(np.array([seconds[place] for place in places], np.float64))
        strengths = np.clip(np.maximum((1 - cosines) / 2 / tracks.spread, parts), 0, 1)
        medoid = int(strengths.sum(axis=1).round(6).argmin())
        for row, place in enumerate(places):
            cosine, difference = float(cosines[row, medoid]), float(apart[row, medoid])
            if row != medoid and (difference > SECONDS_APART or cosine < least):
                strength = float(strengths[row, medoid])
                outliers.append(RecordingOutlier(place, strength, places[medoid], difference, cosine))
    return sorted(outliers, key=lambda each: (-each.strength, each.place))


def compare_lengths(seconds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the differences (n, n) of lengths (n,) in seconds, and as parts of the longer; 0 where one is unknown."""
    is_known = (seconds[:, None] > 0) & (seconds[None, :] > 0)
    apart = np.where(is_known, np.abs(seconds[:, None] - seconds[None, :]), 0.0)
    return apart, apart / np.maximum(np.maximum(seconds[:, None], seconds[None, :]), 1.0)
