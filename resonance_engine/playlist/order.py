"""Order a pool: a list that starts with its opening, flows from track to track and does not drift from the seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import format_count
from resonance_engine.playlist.rules import (
    VARIATION,
    Clashes,
    Length,
    OrderedTracks,
    SequenceRules,
    Track,
    TrackPool,
    durations,
    encode_names,
    jitter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.playlist.rules import Integers, Mask

    Numbers = NDArray[np.float64]

ANCHOR = 0.5  # weight of closeness to the seeds against closeness to the track before
CUT = "Works are not kept together: those that the list opens with are longer than the list."
LONG_AGO = -(10**9)


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
    sequencer = Sequencer(pool.tracks, rules, length, opening)
    cut = any(len(sequencer.units[unit]) > 1 for unit in sequencer.sequence) and sequencer.is_over()
    if cut:
        sequencer = Sequencer(pool.tracks, replace(rules, works="avoid"), length, opening)
    liking = ANCHOR * np.array([pool.closeness[list(unit)].mean(dtype=np.float64) for unit in sequencer.units])
    liking += VARIATION * jitter([pool.tracks[position].id for position in sequencer.first], seed)
    crowded = 0
    while (candidates := sequencer.allowed() & sequencer.fits()).any():
        # How close the start of each unit is to the end of the last one; to the seeds at the start of the list.
        last = sequencer.sequence[-1] if sequencer.sequence else None
        flow = pool.closeness if last is None else pool.vectors @ pool.vectors[sequencer.last[last]]
        waits = sequencer.waits()
        ready = sequencer.with_room(candidates, candidates & (waits == waits[candidates].min()))
        scores = liking + (1 - ANCHOR) * flow.astype(np.float64)[sequencer.first]
        best = int(np.argmax(np.where(ready, scores, -np.inf)))
        crowded += int(waits[best] > 0)
        sequencer.append(best)
    tracks = tuple(pool.tracks[position] for unit in sequencer.sequence for position in sequencer.units[unit])
    return OrderedTracks(tracks, ((CUT,) if cut else ()) + describe_list(sequencer, crowded))


class Sequencer:
    """The units of n tracks (single ones, or works that stay together), and the list of units so far.

    A unit counts once for caps and spacing, by the artist and album of its first track. The list begins with the units
    of the tracks at the positions `opening`. `missing` is what lacks to its `length`: tracks or, where a playing time
    is requested, seconds. `held` are the units that are not allowed any more by rule, in words that follow a number.
    """

    def __init__(
        self, tracks: Sequence[Track], rules: SequenceRules, length: Length | None = None, opening: Sequence[int] = ()
    ) -> None:
        self.units = group_works(tracks, rules.works == "together")
        self.unit_of = {position: number for number, unit in enumerate(self.units) for position in unit}
        self.first = np.array([unit[0] for unit in self.units], np.intp)
        self.last = np.array([unit[-1] for unit in self.units], np.intp)
        self.sizes = np.array([len(unit) for unit in self.units], np.intp)
        self.remaining = np.ones(len(self.units), bool)
        self.sequence: list[int] = []
        self._length = length or Length()
        self.missing: float = self._length.count
        self._lengths: NDArray[np.intp] | Numbers = self.sizes
        if self._length.seconds is not None:
            seconds = durations(tracks)
            self.missing = self._length.seconds
            self._lengths = np.array([sum(seconds[position] for position in unit) for unit in self.units])
            self._usual = float(np.median(seconds)) if seconds else 0.0
        self._rules = rules
        self._artist, self._album, self._work = (code[self.first] for code in encode_names(tracks))
        self._clashes = Clashes(tracks, rules)
        # By code of artist and album, and one more for empty names, which is never read.
        self._count = {name: np.zeros(len(tracks) + 1, np.intp) for name in ("artist", "album")}
        self._when = {name: np.full(len(tracks) + 1, LONG_AGO, np.intp) for name in ("artist", "album")}
        # Movements of one work may be among those that must not be in one list.
        clashing = [
            len(unit) > 1 and any(self._clashes.of(each)[list(unit)].any() for each in unit) for unit in self.units
        ]
        self._beyond = {name: np.zeros(len(self.units), bool) for name in ("artist", "album")}
        self._clashing, self._repeated = np.array(clashing, bool), np.zeros(len(self.units), bool)
        self.held: dict[str, Mask] = {
            f"beyond the limit of {rules.caps.per_artist} per artist": self._beyond["artist"],
            f"beyond the limit of {rules.caps.per_album} per album": self._beyond["album"],
            "never to be together with one in the list": self._clashing,
            "of a work in the list": self._repeated,
        }
        for unit in dict.fromkeys(self.unit_of[position] for position in opening):
            self.append(unit)

    def append(self, unit: int) -> None:
        """Append a unit to the list."""
        caps = self._rules.caps
        for name, codes, most in (("artist", self._artist, caps.per_artist), ("album", self._album, caps.per_album)):
            code = codes[unit]
            self._count[name][code] += 1
            self._when[name][code] = len(self.sequence)
            if most and code >= 0 and self._count[name][code] >= most:
                self._beyond[name] |= codes == code
        for position in self.units[unit]:
            clashes = np.flatnonzero(self._clashes.of(position))
            self._clashing[[self.unit_of[other] for other in clashes.tolist()]] = True
        if self._rules.works == "avoid" and self._work[unit] >= 0:
            self._repeated |= self._work == self._work[unit]
        self.remaining[unit] = False
        self.sequence.append(unit)
        requested = self._length.count if self._length.seconds is None else self._length.seconds
        self.missing = requested - float(self._lengths[self.sequence].sum())

    def is_over(self) -> bool:
        """Whether the list is too long already."""
        return self.missing < (0 if self._length.seconds is None else -self._usual / 2)

    def is_full(self) -> bool:
        """Whether the list has its length."""
        if self._length.seconds is None:
            return self.missing <= 0
        return bool(self.sequence) and self.missing < self._usual / 2

    def fits(self) -> Mask:
        """Return the units that bring the list nearer to its length; none where it is full."""
        if self._length.seconds is None:
            return self._lengths <= self.missing
        if not self.sequence:
            return np.ones(len(self.units), bool)
        return (self._lengths / 2 <= self.missing) & (self.missing >= self._usual / 2)

    def allowed(self) -> Mask:
        """Return the remaining units that rules other than spacing allow."""
        held: Mask = np.any(list(self.held.values()), axis=0)
        return self.remaining & ~held

    def waits(self) -> Integers:
        """Return how many other units must come before each, by the spacing of its artist and album."""
        rules, now = self._rules, len(self.sequence)
        missing = [
            np.where(code >= 0, self._when[name][code] + spacing + 1 - now, 0)
            for name, code, spacing in (
                ("artist", self._artist, rules.artist_spacing),
                ("album", self._album, rules.album_spacing),
            )
        ]
        return np.maximum(np.maximum(*missing), 0)

    def with_room(self, candidates: Mask, ready: Mask) -> Mask:
        """Return the `ready` candidates after which most of the missing places can be filled with artists spaced out.

        With a spacing of g, an artist who must wait for w others has room in r places for (r - w) / (g + 1)
        tracks, rounded up. Without this look ahead a list ends with all that is left of its most frequent artist.
        """
        places = max(round(self.missing if self._length.seconds is None else self.missing / self._usual), 1)
        spacing = self._rules.artist_spacing
        rest = min(places, int(candidates.sum())) - 1
        if not spacing or rest < 1:
            return ready
        artists, mine, many = np.unique(self._artist[candidates], return_inverse=True, return_counts=True)
        if self._rules.caps.per_artist:
            most = self._rules.caps.per_artist - self._count["artist"][artists]
            many = np.where(artists >= 0, np.minimum(many, most), many)
        waits = np.maximum(self._when["artist"][artists] + spacing - len(self.sequence), 0)
        room, next_room = -(-np.maximum([rest - waits, np.full_like(waits, rest - spacing)], 0) // (spacing + 1))
        kept = np.where(artists >= 0, np.minimum(many, room), many)
        after = np.where(artists >= 0, np.minimum(many - 1, next_room), many - 1)
        filled = np.zeros(len(candidates), np.intp)
        filled[candidates] = np.minimum(kept.sum() - kept + after, rest)[mine]
        good: Mask = ready & (filled >= filled[ready].max())
        return good


def group_works(tracks: Sequence[Track], is_together: bool) -> list[tuple[int, ...]]:
    """Group the positions of tracks into units: one track each or, where works stay together, a work each.

    A work is what shares both work and album: another album holds another recording. Its movements are in the order of
    their numbers. Units are in the order of their first track.
    """
    if not is_together:
        return [(position,) for position in range(len(tracks))]
    units: dict[object, list[int]] = {}
    for position, track in enumerate(tracks):
        units.setdefault((track.work, track.album) if track.work else position, []).append(position)
    return [tuple(sorted(unit, key=lambda position: tracks[position].movement)) for unit in units.values()]


def describe_list(sequencer: Sequencer, crowded: int) -> tuple[str, ...]:
    """Return sentences about broken spacing and a missing length; so many units are `crowded`."""
    notes = []
    if crowded:
        verb = "comes" if crowded == 1 else "come"
        notes.append(
            f"{format_count(crowded)} {verb} sooner after another of the same artist or album than asked for: "
            "there was no other left."
        )
    if not sequencer.is_full():
        masks = {words: mask & sequencer.remaining for words, mask in sequencer.held.items()}
        masks["too long for what is missing"] = sequencer.allowed() & ~sequencer.fits()
        held = {words: int(sequencer.sizes[mask].sum()) for words, mask in masks.items() if mask.any()}
        reasons = "; ".join(f"{count:,} {words}" for words, count in held.items())
        notes.append(
            "The list is shorter than asked for: "
            + (f"left out were {reasons}." if held else "there are no other candidates.")
        )
    return tuple(notes)
