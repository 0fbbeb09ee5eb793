"""A vote of the nearest labelled tracks, without a track's own recording, copies of it, artist and album.

Weighted k nearest neighbours (Dudani 1976) by cosine; leaving out the artist keeps the studio and the mastering from
voting (the artist filter of Pampalk, Flexer and Widmer 2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.tagging.tracks import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.tagging.tracks import LabelledTracks

    Places = NDArray[np.int64]
    Array = NDArray[np.float32]

ROWS = 256  # queries whose similarities to all voters are held at once
NO_VOTER = -1


@dataclass(frozen=True)
class VoteSettings:
    """`neighbours` vote, each with the weight cosine ** `power`, shared among those of one artist to `sharing`.

    `sharing` 0 lets each track vote for itself; at 1 an artist has one vote, however many of his tracks are near.
    """

    neighbours: int = 10
    power: float = 4.0
    sharing: float = 0.5


@dataclass(frozen=True, eq=False)
class NearestVoters:
    """The nearest voters of q tracks, best first: `places` (q, k), NO_VOTER where there are fewer, and `cosines`."""

    places: Places
    cosines: Array


def nearest_voters(tracks: LabelledTracks, queries: Places, voters: Places, count: int) -> NearestVoters:
    """Return the `count` voters with the greatest cosines to each query, of other recordings, artists and albums.

    Near-identical sound is the same recording: of a copy without tags no artist shows it. `queries` (q,) and `voters`
    (v,) are places in the table. Similarities are computed for ROWS queries at once.
    """
    places = np.full((len(queries), count), NO_VOTER, np.int64)
    cosines = np.full((len(queries), count), -np.inf, np.float32)
    width = min(count, len(voters))
    candidates = np.ascontiguousarray(tracks.vectors[voters])
    for start in range(0, len(queries) if width else 0, ROWS):
        rows = queries[start : start + ROWS]
        scores = tracks.vectors[rows] @ candidates.T
        scores[is_related(tracks, rows, voters) | (scores >= tracks.copy_cosine)] = -np.inf
        best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        best.sort(axis=1)  # of equal cosines, the lower place comes first
        kept = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-kept, axis=1, kind="stable")
        kept, best = np.take_along_axis(kept, order, axis=1), np.take_along_axis(best, order, axis=1)
        cosines[start : start + ROWS, :width] = kept
        places[start : start + ROWS, :width] = np.where(np.isfinite(kept), voters[best], NO_VOTER)
    return NearestVoters(places, cosines)


def is_related(tracks: LabelledTracks, queries: Places, voters: Places) -> NDArray[np.bool_]:
    """Return which voters share recording, artist or album with which queries, (q, v)."""
    related: NDArray[np.bool_] = tracks.recordings[queries][:, None] == tracks.recordings[voters][None, :]
    for codes in (tracks.artists, tracks.albums):
        own = codes[queries][:, None]
        related |= (own == codes[voters][None, :]) & (own != UNKNOWN)
    return related


def vote_weights(tracks: LabelledTracks, neighbours: NearestVoters, settings: VoteSettings) -> Array:
    """Return the weight of each neighbour's vote, (q, k), 0 where there is none."""
    present = neighbours.places != NO_VOTER
    weights = np.where(present, np.clip(neighbours.cosines, 0, 1), 0).astype(np.float32) ** settings.power
    if settings.sharing:
        owners = np.where(tracks.artists != UNKNOWN, tracks.artists, -2 - tracks.albums)
        owner = np.where(present, owners[neighbours.places], UNKNOWN)
        is_known = present & (owner != UNKNOWN)
        counts = ((owner[:, :, None] == owner[:, None, :]) & is_known[:, None, :]).sum(axis=2)
        weights /= np.maximum(counts, 1).astype(np.float32) ** settings.sharing
    return np.asarray(weights * present, np.float32)


def vote(tracks: LabelledTracks, neighbours: NearestVoters, settings: VoteSettings) -> Array:
    """Return the share of the votes that each label gets from each query's neighbours, (q, labels), 0 to 1.

    A neighbour with several labels votes for each. Where fewer than k neighbours vote, the shares are less by that
    part: a single labelled track is no certainty.
    """
    weights = vote_weights(tracks, neighbours, settings)
    shares = np.zeros((len(weights), len(tracks.labels)), np.float32)
    for column in range(weights.shape[1]):
        shares += weights[:, column, None] * tracks.has_label[neighbours.places[:, column]]
    total = weights.sum(axis=1)
    completeness = (neighbours.places != NO_VOTER).mean(axis=1)
    scale = np.divide(completeness, total, out=np.zeros(len(total)), where=total > 0)
    return np.asarray(np.minimum(shares * scale[:, None], 1.0), np.float32)
