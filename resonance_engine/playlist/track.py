"""The tracks of playlists: what rules compare, the pool of candidates, the ordered list and its length."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import PlaylistError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonance_engine.search.seed_sets import Vectors

USUAL_SECONDS = 240.0  # of a track of unknown length


@dataclass(frozen=True)
class Track:
    """The fields of a track that rules compare; empty or 0 is unknown.

    `artist` is the normalised name that caps and spacing count, empty for "Various Artists" and their like, `work` the
    composition that it is a movement of (the symphony, not its first movement) and `movement` its number there.
    `attributes` are those of `features.attributes` by name: `tempo`, `energy`, `brightness`.
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
    """The candidates of a list: n tracks with their unit vectors (n, d) and their closeness to the seeds (n,).

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


@dataclass(frozen=True)
class OrderedTracks:
    """A list in playing order, with notes on rules and lengths that could not be kept."""

    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Length:
    """`count` tracks or, where `seconds` is given, as many as come closest to that playing time."""

    count: int = 20
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise PlaylistError(f"A list has at least 1 track, not {self.count}.")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise PlaylistError(f"A list plays for more than 0 seconds, not for {self.seconds:g}.")


def durations(tracks: Sequence[Track]) -> list[float]:
    """Return playing times in seconds; unknown ones count as the mean of the others, or four minutes."""
    known = [track.seconds for track in tracks if track.seconds > 0]
    usual = sum(known) / len(known) if known else USUAL_SECONDS
    return [track.seconds if track.seconds > 0 else usual for track in tracks]


def format_count(count: int, noun: str = "track") -> str:
    """Return a number with its noun: "1 track", "1,200 tracks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
