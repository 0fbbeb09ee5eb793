"""Paths: lists from the first waypoint to the last through the others, in steps as even as the library allows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.lattice import Attempt, Lattice, Leg, describe_attempt, find_walks, fit_length
from resonance_engine.playlist.rules import VARIATION, SequenceFilter, SequenceRules, jitter
from resonance_engine.playlist.track import OrderedTracks, Track, durations, format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.playlist.rules import Integers
    from resonance_engine.playlist.track import Length
    from resonance_engine.search.seed_sets import Vectors

    Angles = NDArray[np.float64]

POINTS = 16  # places along a leg whose nearest tracks are candidates
NEAREST = 40  # tracks of each such place
LEG = 400  # candidates of a leg: those that are least of a detour
SLACK = 1e-9  # by which a step may be longer than the longest that is needed, for rounding


class PathIndex(Protocol):
    """Vectors by id, and the nearest of them: a VectorIndex."""

    def nearest(
        self, queries: Vectors, k: int, exclude: Iterable[int] | None = None, allowed: Iterable[int] | None = None
    ) -> tuple[Vectors, NDArray[np.int64]]: ...

    def vectors(self, ids: Iterable[int]) -> Vectors: ...


def find_path(
    index: PathIndex,
    waypoints: Sequence[Track],
    load_tracks: Callable[[list[int]], Iterable[Track]],
    length: Length,
    rules: SequenceRules | None = None,
    allowed: Collection[int] | None = None,
    exclude: Collection[int] = (),
    seed: int | None = None,
) -> OrderedTracks:
    """Return a list from the first waypoint to the last, through the others in their order, without a repeat.

    Between two waypoints the tracks come nearer and nearer to the second, measured by their angles to both. Of all such
    lists of the length it is one whose longest step (the angle between two tracks in a row) is the shortest and, of
    these, one with the least sum of squared steps, which makes the steps even. Rules hold, and may cost evenness; works
    cannot stay together on a path: unless `rules.works` is "ignore", there is one track of a work at most. The list is
    shorter than requested where the library has no more tracks between, with a note.

    `allowed` and `exclude` are ids of the index; `load_tracks` returns the tracks behind ids without those that must
    not appear. Waypoints need ids that the index holds. A number as `seed` varies the list, by making all angles up to
    5 % larger or smaller. Raises PlaylistError for fewer than two waypoints, for one that comes twice, and for more of
    them than the list has tracks.
    """
    ids = [track.id for track in waypoints]
    if len(ids) < 2:
        raise PlaylistError(f"A path leads from one track to another; it was given {format_count(len(ids))}.")
    if len(set(ids)) < len(ids):
        raise PlaylistError("A path has no repeats; one of the tracks that it leads through was given twice.")
    if length.seconds is None and length.count < len(ids):
        raise PlaylistError(f"A path through {len(ids)} tracks cannot have {format_count(length.count)}.")
    rules = SequenceRules() if rules is None else rules
    terrain = survey(index, waypoints, load_tracks, allowed, {*exclude, *ids}, seed)
    usual = float(np.mean(durations(terrain.tracks)))
    attempt = fit_length(lambda count: even_path(terrain, count, rules), length, usual, len(ids))
    return OrderedTracks(attempt.tracks, describe_attempt(attempt, rules))


@dataclass(frozen=True)
class PathTerrain:
    """Waypoints, then candidates, with their lattice: costs are angles in radians, as far as they go forward."""

    tracks: Sequence[Track]
    waypoints: int
    lattice: Lattice


def survey(
    index: PathIndex,
    waypoints: Sequence[Track],
    load_tracks: Callable[[list[int]], Iterable[Track]],
    allowed: Collection[int] | None,
    exclude: Collection[int],
    seed: int | None,
) -> PathTerrain:
    """Collect the tracks that lie between the waypoints, and the steps between them."""
    corners = index.vectors([track.id for track in waypoints])
    points = np.concatenate([great_circle(one, other, POINTS) for one, other in itertools.pairwise(corners)])
    _, near = index.nearest(points, NEAREST, exclude=exclude, allowed=allowed)
    candidates = sorted(load_tracks(np.unique(near).tolist()), key=lambda track: track.id)
    tracks = [*waypoints, *candidates]
    vectors = np.concatenate([corners, index.vectors([track.id for track in candidates])])
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
    return PathTerrain(tracks, len(waypoints), Lattice(np.concatenate(places), legs))


def between(vectors: Vectors, leg: int, waypoints: int) -> Integers:
    """Return the candidates of a leg in the order in which they come nearer to its end."""
    candidates = vectors[waypoints:]
    behind, ahead = angles(candidates, vectors[[leg]])[:, 0], angles(candidates, vectors[[leg + 1]])[:, 0]
    least = np.argsort(behind + ahead, kind="stable")[:LEG]
    progress = behind[least] / np.maximum(behind[least] + ahead[least], SLACK)
    inner: Integers = waypoints + least[np.argsort(progress, kind="stable")]
    return inner


def forward(vectors: Vectors, pace: NDArray[np.float64]) -> Angles:
    """Return the angles from vectors to later ones, times the pace (n,) of their targets; infinite backwards."""
    steps = angles(vectors, vectors) * pace
    return np.where(np.triu(np.ones(steps.shape, bool), k=1), steps, np.inf)


def angles(some: Vectors, others: Vectors) -> Angles:
    """Return the angles (n, m) in radians between unit vectors (n, d) and (m, d)."""
    radians: Angles = np.arccos(np.clip(some.astype(np.float64) @ others.astype(np.float64).T, -1.0, 1.0))
    return radians


def great_circle(one: Vectors, other: Vectors, count: int) -> Vectors:
    """Return `count` unit vectors on the great circle from one unit vector to another, both ends among them.

    Between opposite ones there is no such circle, and all points are at the ends.
    """
    angle = float(angles(one[None], other[None])[0, 0])
    share = np.linspace(0, 1, count)[:, None]
    if np.sin(angle) < 1e-6:
        return np.where(share < 0.5, one, other).astype(np.float32)
    mixed = np.sin((1 - share) * angle) * one + np.sin(share * angle) * other
    points: Vectors = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return points


def even_path(terrain: PathTerrain, count: int, rules: SequenceRules) -> Attempt:
    """Return the path of `count` tracks, or the longest there is, with spacing relaxed if needed."""
    best: tuple[int, ...] = ()
    kept = rules
    for relaxed in rules.relaxations():
        allow = SequenceFilter(terrain.tracks, relaxed, range(terrain.waypoints)).allow
        walks = find_walks(terrain.lattice, count - 1, np.maximum, allow)
        if walks and len(walks[-1].places) > len(best):
            best, kept = smooth(terrain, walks[-1].cost, len(walks[-1].places), relaxed) or walks[-1].places, relaxed
        if len(best) == count:
            break
    return Attempt(count, tuple(terrain.tracks[place] for place in best), kept)


def smooth(terrain: PathTerrain, longest: float, count: int, rules: SequenceRules) -> tuple[int, ...] | None:
    """Return the path of `count` tracks with the least sum of squared steps, none of them longer than `longest`."""
    allow = SequenceFilter(terrain.tracks, rules, range(terrain.waypoints)).allow
    walks = find_walks(terrain.lattice.capped(longest + SLACK).squared(), count - 1, np.add, allow)
    return walks[-1].places if walks and len(walks[-1].places) == count else None
