"""The tracks of a list, its length, and its rules: caps, spacing, works and incompatible tracks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.errors import PlaylistError
from resonance_engine.search.constraints import Caps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.search.vector_sets import Vectors

    Integers = NDArray[np.intp]
    Mask = NDArray[np.bool_]
    Groups = tuple[frozenset[int], frozenset[int]]

USUAL_SECONDS = 240.0  # of a track of unknown length
WORKS = ("together", "avoid", "ignore")
NO_CAPS = Caps()
SPACING = 2  # tracks between two of one artist or album
VARIATION = 0.05  # how far a number for variation moves a closeness, as a cosine


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


@dataclass(frozen=True)
class SequenceRules:
    """The rules of a sequence.

    The `caps`, and at least `artist_spacing` and `album_spacing` other tracks between two of one artist or album.
    `works`: movements of one work are played "together" and in order, or the list "avoid"s to have more than one, or
    they are tracks like others ("ignore"). Of each pair of ids in `apart`, one at most is in the list; of each pair of
    sets in `groups_apart`, tracks of one of them at most. Requested tracks (seeds, waypoints) are in it whatever the
    rules say, and count. Spacing gives way, and is reported, where nothing else is left; the others never do.
    """

    caps: Caps = NO_CAPS
    artist_spacing: int = SPACING
    album_spacing: int = SPACING
    works: str = "together"
    apart: frozenset[tuple[int, int]] = frozenset()
    groups_apart: tuple[Groups, ...] = ()

    def __post_init__(self) -> None:
        for name in ("artist_spacing", "album_spacing"):
            if getattr(self, name) < 0:
                raise PlaylistError(f"The {name.replace('_', ' ')} is 0 or more tracks, not {getattr(self, name)}.")
        if self.works not in WORKS:
            raise PlaylistError(f"Works can be {', '.join(WORKS[:-1])} or {WORKS[-1]}, not {self.works!r}.")

    def relaxations(self) -> Iterator[SequenceRules]:
        """Yield these rules, then the same with less and less spacing."""
        for widest in range(max(self.artist_spacing, self.album_spacing), -1, -1):
            yield replace(
                self,
                artist_spacing=min(self.artist_spacing, widest),
                album_spacing=min(self.album_spacing, widest),
            )


def encode_names(tracks: Sequence[Track]) -> list[Integers]:
    """Return the artists, albums and works of n tracks as numbers (n + 1,) in the order of their first appearance.

    Equal names have equal numbers; an empty name is -1, as is the last entry.
    """
    codes = []
    for name in ("artist", "album", "work"):
        known = {"": -1}
        names = [*(getattr(track, name) for track in tracks), ""]
        codes.append(np.array([known.setdefault(each, len(known) - 1) for each in names], np.intp))
    return codes


class Clashes:
    """Which of n tracks must not be in one list."""

    def __init__(self, tracks: Sequence[Track], rules: SequenceRules) -> None:
        ids = [track.id for track in tracks]
        places = {track_id: position for position, track_id in enumerate(ids)}
        self._pairs: dict[int, list[int]] = {}
        for one, other in sorted(rules.apart):
            if one in places and other in places and one != other:
                self._pairs.setdefault(places[one], []).append(places[other])
                self._pairs.setdefault(places[other], []).append(places[one])
        sides = [[np.isin(ids, list(group)) for group in groups] for groups in rules.groups_apart]
        self._groups = [pair for one, other in sides for pair in ((one, other), (other, one))]
        self._count = len(ids)

    def __bool__(self) -> bool:
        return bool(self._pairs) or any(one.any() and other.any() for one, other in self._groups)

    def of(self, position: int) -> Mask:
        """Return which tracks (n,) must not be in a list with the one at a position."""
        clashing: Mask = np.zeros(self._count, bool)
        clashing[self._pairs.get(position, [])] = True
        for one, other in self._groups:
            if one[position]:
                clashing |= other
        clashing[position] = False
        return clashing


class SequenceFilter:
    """Whether rules allow unfinished lists to go on with a track, for many lists at once.

    `fixed` are positions of tracks that will be in every list whatever the rules say. Only one movement of a work is
    allowed unless works are ignored: where a path or an arc makes the order, they cannot stay together.
    """

    def __init__(self, tracks: Sequence[Track], rules: SequenceRules, fixed: Sequence[int] = ()) -> None:
        self._rules = rules
        self._artist, self._album, self._work = encode_names(tracks)
        self._fixed = np.zeros(len(tracks) + 1, bool)
        self._fixed[list(fixed)] = True
        clashes = Clashes(tracks, rules)
        self._clashes = np.zeros((len(tracks) + 1,) * 2 if clashes else (0, 0), bool)
        for position in range(len(tracks) if clashes else 0):
            self._clashes[position, :-1] = clashes.of(position)

    def allow(self, before: Integers, after: Integers) -> Mask:
        """Whether track `after` (k,) may follow each of k lists (k, length); all are positions, -1 for none."""
        is_fixed = self._fixed[after]
        good: Mask = (after < 0) | ~(before == after[:, None]).any(axis=1)
        rules = self._rules
        for code, most, spacing in (
            (self._artist, rules.caps.per_artist, rules.artist_spacing),
            (self._album, rules.caps.per_album, rules.album_spacing),
        ):
            same = (code[before] == code[after][:, None]) & (code[after] >= 0)[:, None]
            if most:
                good &= is_fixed | (self._count(code, same & ~self._fixed[before], after) < most)
            if spacing:
                close = same[:, -spacing:]
                good &= ~(close & ~(is_fixed[:, None] & self._fixed[before][:, -spacing:])).any(axis=1)
        if rules.works != "ignore":
            work = self._work
            same = (work[before] == work[after][:, None]) & (work[after] >= 0)[:, None] & ~self._fixed[before]
            good &= is_fixed | (self._count(work, same, after) == 0)
        if len(self._clashes):
            clash = self._clashes[after]
            good &= is_fixed | ~(
                (clash & self._fixed).any(axis=1) | np.take_along_axis(clash, before, axis=1).any(axis=1)
            )
        return good

    def _count(self, code: Integers, same: Mask, after: Integers) -> Integers:
        """Count the tracks with the name of `after` in each list: those of `same`, and all that are fixed."""
        fixed = np.bincount(code[self._fixed] + 1, minlength=code.max() + 2)
        fixed[0] = 0
        total: Integers = same.sum(axis=1) + fixed[code[after] + 1]
        return total


def jitter(ids: Sequence[int], seed: int | None) -> NDArray[np.float64]:
    """Return a number between -1 and 1 for each id, a function of id and seed alone; all 0 without a seed.

    It is SplitMix64 (Steele, Lea & Flood 2014) of both, so that it does not depend on what else is in a library.
    """
    if seed is None:
        return np.zeros(len(ids))
    with np.errstate(over="ignore"):
        mixed = np.asarray(ids, np.int64).astype(np.uint64)
        for salt in (seed % 2**64, 0):
            mixed = (mixed + np.uint64(salt)) + np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
    return mixed / 2.0**63 - 1.0
