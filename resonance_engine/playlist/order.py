"""Neighbours -> a list that starts with its opening, flows from track to track and does not drift from the seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.playlist.rules import VARIATION, SequenceRules, jitter
from resonance_engine.playlist.sequencer import Sequencer
from resonance_engine.playlist.track import OrderedTracks, Track, TrackPool, durations, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.playlist.length import Length
    from resonance_engine.playlist.rules import Mask

    Numbers = NDArray[np.float64]

ANCHOR = 0.5  # weight of closeness to the seeds against closeness to the track before
CUT = "Works are not kept together: those that the list opens with are longer than the list."


def order_tracks(
    pool: TrackPool,
    length: Length,
    rules: SequenceRules | None = None,
    opening: Sequence[int] = (),
    seed: int | None = None,
) -> OrderedTracks:
    """A list of the tracks of a pool that opens with those at the positions `opening`, in this order.

    Each next track, or work whose movements stay together, is the one with the largest
    ANCHOR * closeness(track) + (1 - ANCHOR) * cos(track, last played) among those that the rules let in: anchored to
    the seeds, the list does not drift, however long it is. A work is as close as its movements are on average. One that
    the list opens with is played whole, unless it is longer than the list. A number as `seed` varies the list, the same
    number always in the same way. The list is short only where rules leave nothing, and says so. A playing time is met
    as closely as the next tracks can, give or take half a usual one.
    """
    rules = SequenceRules() if rules is None else rules
    course = opened(pool, rules, opening)
    fit = Fit(length, pool.tracks, course)
    cut = fit.over() and any(len(course.units[unit]) > 1 for unit in course.played)
    if cut:
        course = opened(pool, replace(rules, works="avoid"), opening)
        fit = Fit(length, pool.tracks, course)
    liking = ANCHOR * np.array([pool.closeness[list(unit)].mean(dtype=np.float64) for unit in course.units])
    liking += VARIATION * jitter([pool.tracks[position].id for position in course.first], seed)
    crowded = filled(pool, course, fit, liking)
    tracks = tuple(pool.tracks[position] for unit in course.played for position in course.units[unit])
    return OrderedTracks(tracks, ((CUT,) if cut else ()) + notes(course, fit, crowded))


def filled(pool: TrackPool, course: Sequencer, fit: Fit, liking: Numbers) -> int:
    """Play unit after unit until the list is full or nothing may follow, and say how many came before their time."""
    crowded = 0
    while not fit.full():
        candidates = course.open() & fit.fits()
        if not candidates.any():
            break
        waits = course.wait()
        best = next_unit(course, candidates, waits, liking + (1 - ANCHOR) * flow(pool, course), fit.places())
        crowded += int(waits[best] > 0)
        course.play(best)
    return crowded


def opened(pool: TrackPool, rules: SequenceRules, opening: Sequence[int]) -> Sequencer:
    """A list of which only the opening was played, its works whole if they are to stay together."""
    course = Sequencer(pool.tracks, rules)
    for position in opening:
        if course.left[course.unit(position)]:
            course.play(course.unit(position))
    return course


def flow(pool: TrackPool, course: Sequencer) -> Numbers:
    """How close the beginning of each unit is to the end of the last one; to the seeds, where none was played."""
    if not course.played:
        return pool.closeness[course.first].astype(np.float64)
    closeness: Numbers = (pool.vectors @ pool.vectors[course.last[course.played[-1]]]).astype(np.float64)
    return closeness[course.first]


def next_unit(course: Sequencer, candidates: Mask, waits: NDArray[np.intp], liking: Numbers, places: int) -> int:
    """The best of the candidates that need not wait, or of those that wait least."""
    ready = candidates & (waits == waits[candidates].min())
    return int(np.argmax(np.where(course.roomy(candidates, ready, places), liking, -np.inf)))


class Fit:
    """What still fits in a list of a length."""

    def __init__(self, length: Length, tracks: Sequence[Track], course: Sequencer) -> None:
        seconds = durations(tracks)
        self._length = length
        self._course = course
        self._seconds = np.array([sum(seconds[position] for position in unit) for unit in course.units])
        self.usual = float(np.median(seconds)) if seconds else 0.0

    def played(self) -> float:
        """How many tracks, or seconds where a playing time is asked for, there are."""
        sizes = self._course.sizes if self._length.seconds is None else self._seconds
        return float(sizes[self._course.played].sum())

    def missing(self) -> float:
        """How many tracks or seconds there are less than asked for."""
        asked = self._length.count if self._length.seconds is None else self._length.seconds
        return asked - self.played()

    def over(self) -> bool:
        """Whether the list is too long already."""
        return self.missing() < (0 if self._length.seconds is None else -self.usual / 2)

    def full(self) -> bool:
        if self._length.seconds is None:
            return self.missing() <= 0
        return bool(self._course.played) and self.missing() < self.usual / 2

    def fits(self) -> Mask:
        """The units that bring the list nearer to its length."""
        if self._length.seconds is None:
            return self._course.sizes <= self.missing()
        return self._seconds / 2 <= self.missing() if self._course.played else np.ones(len(self._seconds), bool)

    def places(self) -> int:
        """About how many units are missing."""
        return max(round(self.missing() if self._length.seconds is None else self.missing() / self.usual), 1)


def notes(course: Sequencer, fit: Fit, crowded: int) -> tuple[str, ...]:
    """Sentences about what is not as it was asked for: the spacing, and a list that is short."""
    said = []
    if crowded:
        verb = "comes" if crowded == 1 else "come"
        said.append(
            f"{numbered(crowded)} {verb} sooner after another of the same artist or album than asked for: "
            "there was no other left."
        )
    if not fit.full():
        held = {words: int(course.sizes[mask].sum()) for words, mask in course.held_back().items() if mask.any()}
        large = course.open() & ~fit.fits()
        if large.any():
            held["too long for what is missing"] = int(course.sizes[large].sum())
        reasons = "; ".join(f"{count:,} {words}" for words, count in held.items())
        said.append(
            "The list is shorter than asked for: "
            + (f"left out were {reasons}." if held else "there are no other candidates.")
        )
    return tuple(said)
