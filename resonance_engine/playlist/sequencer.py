"""A list that grows track by track: its units so far, the units that rules allow next, and those they hold back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.playlist.rules import NameCodes, find_clashes
from resonance_engine.playlist.works import group_works

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.playlist.rules import Integers, Mask, SequenceRules
    from resonance_engine.playlist.track import Track

LONG_AGO = -(10**9)


class Sequencer:
    """The units of n tracks (single ones, or works that stay together), and the list of units so far.

    A unit counts once for caps and spacing, by the artist and album of its first track.
    """

    def __init__(self, tracks: Sequence[Track], rules: SequenceRules) -> None:
        self.units = group_works(tracks, rules.works == "together")
        self.first = np.array([unit[0] for unit in self.units], np.intp)
        self.last = np.array([unit[-1] for unit in self.units], np.intp)
        self.sizes = np.array([len(unit) for unit in self.units], np.intp)
        self.remaining = np.ones(len(self.units), bool)
        self.sequence: list[int] = []
        names = NameCodes.of(tracks)
        self._rules = rules
        self._artist, self._album, self._work = (code[self.first] for code in (names.artist, names.album, names.work))
        self._unit_of = {position: number for number, unit in enumerate(self.units) for position in unit}
        self._clashes = find_clashes(tracks, rules.apart)
        # By code of artist and album, and one more for empty names, which is never read.
        self._count = {name: np.zeros(len(tracks) + 1, np.intp) for name in ("artist", "album")}
        self._when = {name: np.full(len(tracks) + 1, LONG_AGO, np.intp) for name in ("artist", "album")}
        self._clashing = np.array([self._has_clash(unit) for unit in self.units], bool)
        self._repeated = np.zeros(len(self.units), bool)

    def _has_clash(self, unit: tuple[int, ...]) -> bool:
        """Whether a unit has movements that must not be in one list."""
        return any(other in unit for position in unit for other in self._clashes.get(position, []))

    def unit(self, position: int) -> int:
        """Return the number of the unit that a track belongs to."""
        return self._unit_of[position]

    def append(self, unit: int) -> None:
        """Append a unit to the list."""
        for name, code in (("artist", self._artist[unit]), ("album", self._album[unit])):
            self._count[name][code] += 1
            self._when[name][code] = len(self.sequence)
        for position in self.units[unit]:
            self._clashing[[self._unit_of[other] for other in self._clashes.get(position, [])]] = True
        if self._rules.works == "avoid" and self._work[unit] >= 0:
            self._repeated |= self._work == self._work[unit]
        self.remaining[unit] = False
        self.sequence.append(unit)

    def held_back(self) -> dict[str, Mask]:
        """Return, by rule in words that follow a number, the remaining units that are not allowed any more."""
        caps = self._rules.caps
        masks = {
            f"beyond the limit of {caps.per_artist} per artist": self._beyond("artist", self._artist, caps.per_artist),
            f"beyond the limit of {caps.per_album} per album": self._beyond("album", self._album, caps.per_album),
            "never to be together with one in the list": self._clashing,
            "of a work in the list": self._repeated,
        }
        return {words: mask & self.remaining for words, mask in masks.items()}

    def allowed(self) -> Mask:
        """Return the remaining units that rules other than spacing allow."""
        held: Mask = np.any(list(self.held_back().values()), axis=0)
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

    def with_room(self, candidates: Mask, ready: Mask, places: int) -> Mask:
        """Return the `ready` candidates after which most of so many places can be filled with artists spaced out.

        With a spacing of g, an artist who must wait for w others has room in r places for (r - w) / (g + 1)
        tracks, rounded up. Without this look ahead a list ends with all that is left of its most frequent artist.
        """
        spacing = self._rules.artist_spacing
        rest = min(places, int(candidates.sum())) - 1
        if not spacing or rest < 1:
            return ready
        artists, mine, many = np.unique(self._artist[candidates], return_inverse=True, return_counts=True)
        if self._rules.caps.per_artist:
            most = self._rules.caps.per_artist - self._count["artist"][artists]
            many = np.where(artists >= 0, np.minimum(many, most), many)
        waits = np.maximum(self._when["artist"][artists] + spacing - len(self.sequence), 0)
        room = np.where(artists >= 0, capacity(rest - waits, spacing), many)
        after = np.where(artists >= 0, np.minimum(many - 1, capacity(rest - spacing, spacing)), many - 1)
        kept = np.minimum(many, room)
        filled = np.zeros(len(candidates), np.intp)
        filled[candidates] = np.minimum(kept.sum() - kept + after, rest)[mine]
        good: Mask = ready & (filled >= filled[ready].max())
        return good

    def _beyond(self, name: str, code: Integers, most: int) -> Mask:
        if not most:
            return np.zeros(len(code), bool)
        return (code >= 0) & (self._count[name][code] >= most)


def capacity(places: NDArray[np.intp] | int, spacing: int) -> Integers:
    """Return how many tracks with `spacing` others between two of them fit into places."""
    return -(-np.maximum(places, 0) // (spacing + 1))
