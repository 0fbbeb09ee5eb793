"""A path between tracks: from the first to the last by way of the others, in steps as even as the library allows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.lattice import Lattice, Leg, walks
from resonance_engine.playlist.length import fitted
from resonance_engine.playlist.rules import VARIATION, SequenceRules, Sequences, jitter
from resonance_engine.playlist.track import OrderedTracks, Track, durations, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.playlist.length import Length
    from resonance_engine.playlist.rules import Integers
    from resonance_engine.search.feedback import Vectors

    Angles = NDArray[np.float64]

POINTS = 16  # places along a leg whose nearest tracks are candidates
NEAREST = 40  # tracks of each such place
LEG = 400  # candidates of a leg: those that are least of a detour
SLACK = 1e-9  # by which a step may be longer than the longest that is needed, for rounding


class Index(Protocol):
    """Vectors by id, and the nearest of them: a VectorIndex."""

    def nearest(
        self, queries: Vectors, k: int, exclude: Iterable[int] | None = None, allowed: Iterable[int] | None = None
    ) -> tuple[Vectors, NDArray[np.int64]]: ...

    def vectors(self, ids: Iterable[int]) -> Vectors: ...


def find_path(
    index: Index,
    waypoints: Sequence[Track],
    described: Callable[[list[int]], Iterable[Track]],
    length: Length,
    rules: SequenceRules | None = None,
    allowed: Collection[int] | None = None,
    exclude: Collection[int] = (),
    seed: int | None = None,
) -> OrderedTracks:
    """A list that leads from the first waypoint to the last, through the others in their order, without a repeat.

    Between two waypoints the tracks come nearer and nearer to the second, measured by their angles to both. Of all such
    lists of the length it is one whose longest step (the angle between two tracks in a row) is the shortest and, of
    these, one with the least sum of squared steps, which makes the steps even. Rules hold, and may cost evenness; works
    cannot stay together on a path: unless `rules.works` is "ignore", there is one track of a work at most. The list is
    shorter than asked for where the library has no more tracks between, and says so.

    `allowed` and `exclude` are ids of the index; `described` gives the tracks behind ids and leaves out those that must
    not appear. Waypoints need ids that the index holds. A number as `seed` varies the list, by seeing all angles up to
    5 % larger or smaller. Raises PlaylistError for fewer than two waypoints, for one that comes twice, and for more of
    them than the list has tracks.
    """
    ids = [track.id for track in waypoints]
    if len(ids) < 2:
        raise PlaylistError(f"A path leads from one track to another; it was given {numbered(len(ids))}.")
    if len(set(ids)) < len(ids):
        raise PlaylistError("A path has no repeats; one of the tracks that it leads through was given twice.")
    if length.seconds is None and length.count < len(ids):
        raise PlaylistError(f"A path through {len(ids)} tracks cannot have {numbered(length.count)}.")
    rules = SequenceRules() if rules is None else rules
    field = surveyed(index, waypoints, described, allowed, {*exclude, *ids}, seed)
    made: dict[int, tuple[tuple[Track, ...], SequenceRules]] = {}

    def of_length(count: int) -> tuple[Track, ...]:
        made[count] = even(field, count, rules)
        return made[count][0]

    usual = float(np.mean(durations(field.tracks)))
    tracks = tuple(fitted(of_length, length, usual, len(ids)))
    asked, kept = next((count, kept) for count, (found, kept) in made.items() if found == tracks)
    return OrderedTracks(tracks, notes(len(tracks), asked, rules, kept))


@dataclass(frozen=True)
class Field:
    """Waypoints, then candidates, with their lattice: costs are angles in radians, as far as they go forward."""

    tracks: Sequence[Track]
    waypoints: int
    lattice: Lattice


def surveyed(
    index: Index,
    waypoints: Sequence[Track],
    described: Callable[[list[int]], Iterable[Track]],
    allowed: Collection[int] | None,
    exclude: Collection[int],
    seed: int | None,
) -> Field:
    """The tracks that lie between the waypoints, and the steps between them."""
    corners = index.vectors([track.id for track in waypoints])
    points = np.concatenate([great_circle(one, other, POINTS) for one, other in itertools.pairwise(corners)])
    _, near = index.nearest(points, NEAREST, exclude=exclude, allowed=allowed)
    found = sorted(described([int(each) for each in np.unique(near)]), key=lambda track: track.id)
    tracks = [*waypoints, *found]
    vectors = np.concatenate([corners, index.vectors([track.id for track in found])])
    pace = 1 + VARIATION * jitter([track.id for track in tracks], seed)
    places = [np.zeros(1, np.intp)]
    legs = []
    start = 0
    for number in range(len(waypoints) - 1):
        inner = between(vectors, number, len(waypoints))
        nodes = np.array([number, *inner, number + 1])
        legs.append(Leg(start, forward(vectors[nodes], pace[nodes])))
        places.append(nodes[1:])
        start += len(nodes) - 1
    return Field(tracks, len(waypoints), Lattice(np.concatenate(places), legs))


def between(vectors: Vectors, leg: int, waypoints: int) -> Integers:
    """The candidates of a leg in the order in which they come nearer to its end."""
    candidates = vectors[waypoints:]
    behind, ahead = angles(candidates, vectors[[leg]])[:, 0], angles(candidates, vectors[[leg + 1]])[:, 0]
    least = np.argsort(behind + ahead, kind="stable")[:LEG]
    progress = behind[least] / np.maximum(behind[least] + ahead[least], SLACK)
    inner: Integers = waypoints + least[np.argsort(progress, kind="stable")]
    return inner


def forward(vectors: Vectors, pace: NDArray[np.float64]) -> Angles:
    """The angles from each vector to the later ones, times the pace (n,) of where they lead; infinite backwards."""
    steps = angles(vectors, vectors) * pace
    return np.where(np.triu(np.ones(steps.shape, bool), k=1), steps, np.inf)


def angles(some: Vectors, others: Vectors) -> Angles:
    """Angles in radians between unit vectors (n, d) and (m, d)."""
    found: Angles = np.arccos(np.clip(some.astype(np.float64) @ others.astype(np.float64).T, -1.0, 1.0))
    return found


def great_circle(one: Vectors, other: Vectors, count: int) -> Vectors:
    """`count` unit vectors on the great circle from one unit vector to another, both ends among them.

    Between opposite ones there is no such circle, and all points are at the ends.
    """
    angle = float(angles(one[None], other[None])[0, 0])
    share = np.linspace(0, 1, count)[:, None]
    if np.sin(angle) < 1e-6:
        return np.where(share < 0.5, one, other).astype(np.float32)
    mixed = np.sin((1 - share) * angle) * one + np.sin(share * angle) * other
    points: Vectors = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return points


def even(field: Field, count: int, rules: SequenceRules) -> tuple[tuple[Track, ...], SequenceRules]:
    """The path of so many tracks, or the longest there is, and the rules that it keeps: all, or with less spacing."""
    best: tuple[int, ...] = ()
    kept = rules
    for relaxed in rules.relaxations():
        allow = Sequences(field.tracks, relaxed, range(field.waypoints)).allow
        ways = walks(field.lattice, count - 1, np.maximum, allow)
        if ways and len(ways[-1].places) > len(best):
            best, kept = smooth(field, ways[-1].cost, len(ways[-1].places), relaxed) or ways[-1].places, relaxed
        if len(best) == count:
            break
    return tuple(field.tracks[place] for place in best), kept


def smooth(field: Field, longest: float, count: int, rules: SequenceRules) -> tuple[int, ...] | None:
    """The path of so many tracks with the least sum of squared steps, none of them longer than `longest`."""
    allow = Sequences(field.tracks, rules, range(field.waypoints)).allow
    ways = walks(field.lattice.capped(longest + SLACK).squared(), count - 1, np.add, allow)
    return ways[-1].places if ways and len(ways[-1].places) == count else None


def notes(count: int, asked: int, rules: SequenceRules, kept: SequenceRules, noun: str = "path") -> tuple[str, ...]:
    """Sentences about what is not as it was asked for."""
    said = []
    if kept != rules:
        said.append(
            f"The spacing per artist and album is {max(kept.artist_spacing, kept.album_spacing)}, "
            f"not {max(rules.artist_spacing, rules.album_spacing)}: there was no other {noun} of this length."
        )
    if count < asked:
        where = " between its ends" if noun == "path" else ""
        said.append(f"The {noun} has {numbered(count)}, not {asked:,}: there are no more{where} that the rules let in.")
    return tuple(said)
