"""Order a pool: a list that starts with its opening, flows from track to track and does not drift from the seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.playlist.rules import VARIATION, SequenceRules, jitter
from resonance_engine.playlist.sequencer import Sequencer
from resonance_engine.playlist.track import OrderedTracks, Track, TrackPool, durations, format_count

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
    """Return a list of the tracks of a pool that opens with those at the positions `opening`, in this order.

    Each next track, or work whose movements stay together, is the one with the largest
    ANCHOR * closeness(track) + (1 - ANCHOR) * cos(track, last one) among those that the rules allow: anchored to
    the seeds, the list does not drift, however long it is. A work is as close as its movements are on average. One that
    the list opens with is whole, unless it is longer than the list. A number as `seed` varies the list, the same
    number always in the same way. The list is short only where rules leave nothing, with a note. A playing time is met
    as closely as the next tracks can, give or take half a usual one.
    """
    rules = SequenceRules() if rules is None else rules
    sequencer = open_sequence(pool, rules, opening)
    fit = LengthFit(length, pool.tracks, sequencer)
    cut = fit.is_over() and any(len(sequencer.units[unit]) > 1 for unit in sequencer.sequence)
    if cut:
        sequencer = open_sequence(pool, replace(rules, works="avoid"), opening)
        fit = LengthFit(length, pool.tracks, sequencer)
    liking = ANCHOR * np.array([pool.closeness[list(unit)].mean(dtype=np.float64) for unit in sequencer.units])
    liking += VARIATION * jitter([pool.tracks[position].id for position in sequencer.first], seed)
    crowded = fill(pool, sequencer, fit, liking)
    tracks = tuple(pool.tracks[position] for unit in sequencer.sequence for position in sequencer.units[unit])
    return OrderedTracks(tracks, ((CUT,) if cut else ()) + describe_list(sequencer, fit, crowded))


def fill(pool: TrackPool, sequencer: Sequencer, fit: LengthFit, liking: Numbers) -> int:
    """Append units until the list is full or nothing may follow; return how many of them break the spacing."""
    crowded = 0
    while not fit.is_full():
        candidates = sequencer.allowed() & fit.fits()
        if not candidates.any():
            break
        waits = sequencer.waits()
        best = next_unit(sequencer, candidates, waits, liking + (1 - ANCHOR) * flow(pool, sequencer), fit.places())
        crowded += int(waits[best] > 0)
        sequencer.append(best)
    return crowded


def open_sequence(pool: TrackPool, rules: SequenceRules, opening: Sequence[int]) -> Sequencer:
    """Start a list with its opening, whose works are whole if they stay together."""
    sequencer = Sequencer(pool.tracks, rules)
    for position in opening:
        if sequencer.remaining[sequencer.unit(position)]:
            sequencer.append(sequencer.unit(position))
    return sequencer


def flow(pool: TrackPool, sequencer: Sequencer) -> Numbers:
    """Return how close the start of each unit is to the end of the last one; to the seeds at the start of the list."""
    if not sequencer.sequence:
        return pool.closeness[sequencer.first].astype(np.float64)
    closeness: Numbers = (pool.vectors @ pool.vectors[sequencer.last[sequencer.sequence[-1]]]).astype(np.float64)
    return closeness[sequencer.first]


def next_unit(sequencer: Sequencer, candidates: Mask, waits: NDArray[np.intp], liking: Numbers, places: int) -> int:
    """Return the best of the candidates that keep the spacing, or of those nearest to keeping it."""
    ready = candidates & (waits == waits[candidates].min())
    return int(np.argmax(np.where(sequencer.with_room(candidates, ready, places), liking, -np.inf)))


class LengthFit:
    """The units that still fit in a list of a length."""

    def __init__(self, length: Length, tracks: Sequence[Track], sequencer: Sequencer) -> None:
        seconds = durations(tracks)
        self._length = length
        self._sequencer = sequencer
        self._seconds = np.array([sum(seconds[position] for position in unit) for unit in sequencer.units])
        self.usual = float(np.median(seconds)) if seconds else 0.0

    def length(self) -> float:
        """Return the length of the list: tracks or, where a playing time is requested, seconds."""
        sizes = self._sequencer.sizes if self._length.seconds is None else self._seconds
        return float(sizes[self._sequencer.sequence].sum())

    def missing(self) -> float:
        """Return how many tracks or seconds are missing to the requested length."""
        requested = self._length.count if self._length.seconds is None else self._length.seconds
        return requested - self.length()

    def is_over(self) -> bool:
        """Whether the list is too long already."""
        return self.missing() < (0 if self._length.seconds is None else -self.usual / 2)

    def is_full(self) -> bool:
        if self._length.seconds is None:
            return self.missing() <= 0
        return bool(self._sequencer.sequence) and self.missing() < self.usual / 2

    def fits(self) -> Mask:
        """Return the units that bring the list nearer to its length."""
        if self._length.seconds is None:
            return self._sequencer.sizes <= self.missing()
        return self._seconds / 2 <= self.missing() if self._sequencer.sequence else np.ones(len(self._seconds), bool)

    def places(self) -> int:
        """About how many units are missing."""
        return max(round(self.missing() if self._length.seconds is None else self.missing() / self.usual), 1)


def describe_list(sequencer: Sequencer, fit: LengthFit, crowded: int) -> tuple[str, ...]:
    """Return sentences about broken spacing and a missing length."""
    notes = []
    if crowded:
        verb = "comes" if crowded == 1 else "come"
        notes.append(
            f"{format_count(crowded)} {verb} sooner after another of the same artist or album than asked for: "
            "there was no other left."
        )
    if not fit.is_full():
        held = {words: int(sequencer.sizes[mask].sum()) for words, mask in sequencer.held_back().items() if mask.any()}
        large = sequencer.allowed() & ~fit.fits()
        if large.any():
            held["too long for what is missing"] = int(sequencer.sizes[large].sum())
        reasons = "; ".join(f"{count:,} {words}" for words, count in held.items())
        notes.append(
            "The list is shorter than asked for: "
            + (f"left out were {reasons}." if held else "there are no other candidates.")
        )
    return tuple(notes)
