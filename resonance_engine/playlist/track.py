"""What a list is made from, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonance_engine.search.feedback import Vectors

USUAL_SECONDS = 240.0  # of a track whose length nobody knows


@dataclass(frozen=True)
class Track:
    """A track as the rules of a list see it; what is empty or 0 is not known.

    `artist` is who the track counts for, empty for "Various Artists" and their like, `album` the record that it is on,
    `work` the composition that it is a movement of (the symphony, not its first movement) and `movement` its number
    there. `attributes` are those of `analysis.Attributes` by name: `tempo`, `energy`, `brightness`.
    """

    id: int
    artist: str = ""
    album: str = ""
    work: str = ""
    movement: int = 0
    seconds: float = 0.0
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class TrackPool:
    """What a list is chosen from: n tracks with their unit vectors (n, d) and their closeness to the seeds (n,).

    Closeness is what the search ranked by: a cosine, or brought to the scale of one. Of equally good tracks the one
    that comes first in the pool is taken.
    """

    tracks: Sequence[Track]
    vectors: Vectors
    closeness: Vectors

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or not len(self.tracks) == len(self.vectors) == len(self.closeness):
            raise ValueError(
                f"Expected a vector and a closeness for each of {len(self.tracks)} tracks, "
                f"got shapes {self.vectors.shape} and {self.closeness.shape}."
            )

    def of(self, positions: Sequence[int]) -> TrackPool:
        """The part of the pool at these positions, in their order."""
        rows = np.asarray(positions, np.intp)
        return TrackPool([self.tracks[row] for row in positions], self.vectors[rows], self.closeness[rows])


@dataclass(frozen=True)
class OrderedTracks:
    """A finished list: its tracks in playing order, and sentences about what could not be as asked."""

    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = ()


def durations(tracks: Sequence[Track]) -> list[float]:
    """How long each track plays, in seconds; what is not known counts as the mean of the others, or four minutes."""
    known = [track.seconds for track in tracks if track.seconds > 0]
    usual = sum(known) / len(known) if known else USUAL_SECONDS
    return [track.seconds if track.seconds > 0 else usual for track in tracks]


def numbered(count: int, noun: str = "track") -> str:
    """The number with its noun: "1 track", "1,200 tracks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
