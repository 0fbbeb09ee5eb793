"""How long a list is to be: so many tracks, or so many minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.track import Track, durations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRIES = 8  # of different numbers of tracks, to come close to a playing time


@dataclass(frozen=True)
class Length:
    """`count` tracks or, where `seconds` is given, as many as come closest to playing for so long."""

    count: int = 20
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise PlaylistError(f"A list has at least 1 track, not {self.count}.")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise PlaylistError(f"A list plays for more than 0 seconds, not for {self.seconds:g}.")


def fitted(made: Callable[[int], Sequence[Track]], length: Length, usual: float, least: int) -> Sequence[Track]:
    """The list of the length asked for, from a function that makes one of so many tracks, or fewer if there are not.

    For a playing time it is made with one number of tracks after another, each from what the one before missed, until
    no other number is nearer. `usual` is how long a track plays, in seconds, for the first guess; `least` is the least
    number of tracks that can be asked for.
    """
    if length.seconds is None:
        return made(max(length.count, least))
    tried: dict[int, tuple[float, Sequence[Track]]] = {}
    count = max(round(length.seconds / usual), least)
    while count not in tried and len(tried) < TRIES:
        tracks = made(count)
        missing = length.seconds - sum(durations(tracks))
        tried[count] = abs(missing), tracks
        if len(tracks) < count and missing > 0:
            break
        further = round(missing / usual) or (1 if missing > 0 else -1)
        count = max(count + further, least)
    return min(tried.values(), key=lambda each: each[0])[1]
