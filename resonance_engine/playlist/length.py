"""The length of a list: a number of tracks, or a playing time."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.track import Track, durations

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.playlist.rules import SequenceRules

TRIES = 8  # numbers of tracks that are tried for a playing time


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


class Attempt(NamedTuple):
    """A list of at most `requested` tracks, and the rules that it keeps."""

    requested: int
    tracks: tuple[Track, ...]
    rules: SequenceRules


def fit_length(build: Callable[[int], Attempt], length: Length, usual: float, least: int) -> Attempt:
    """Return the list of the requested length from a function that builds one of a number of tracks, or fewer.

    For a playing time, numbers of tracks are tried one after another, each from what the one before missed, until no
    other is nearer. `usual` is the playing time of a track in seconds, for the first guess; `least` is the smallest
    number of tracks.
    """
    if length.seconds is None:
        return build(max(length.count, least))
    attempts: dict[int, tuple[float, Attempt]] = {}
    count = max(round(length.seconds / usual), least)
    while count not in attempts and len(attempts) < TRIES:
        attempt = build(count)
        missing = length.seconds - sum(durations(attempt.tracks))
        attempts[count] = abs(missing), attempt
        if len(attempt.tracks) < count and missing > 0:
            break
        further = round(missing / usual) or (1 if missing > 0 else -1)
        count = max(count + further, least)
    return min(attempts.values(), key=itemgetter(0))[1]
