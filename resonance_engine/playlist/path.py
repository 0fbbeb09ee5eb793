"""Paths: lists from the first waypoint to the last through the others, in steps as even as the library allows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import PlaylistError, format_count
from resonance_engine.playlist.lattice import (
    Attempt,
    Lattice,
    Leg,
    build_longest,
    describe_attempt,
    find_walks,
    fit_length,
)
from resonance_engine.playlist.rules import (
    VARIATION,
    OrderedTracks,
    SequenceFilter,
    SequenceRules,
    Track,
    durations,
    jitter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.index.vector_index import VectorIndex
    from resonance_engine.playlist.rules import Integers, Length
    from resonance_engine.search.vector_sets import Vectors

    Angles = NDArray[np.float64]

POINTS = 16  # places along a leg whose nearest tracks are candidates
NEAREST = 40  # tracks of each such place
LEG = 400  # candidates of a leg: those that are least of a detour
SLACK = 1e-9  # by which a step may be longer than the longest that is needed, for rounding


def find_path(
    index: VectorIndex,
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
    corners = index.vectors(ids)
    points = np.concatenate([great_circle(one, other, POINTS) for one, other in itertools.pairwise(corners)])
    _, near = index.nearest(points, NEAREST, exclude={*exclude, *ids}, allowed=allowed)
    candidates = sorted(load_tracks(np.unique(near).tolist()), key=lambda track: track.id)
    tracks = [*waypoints, *candidates]
    vectors = np.concatenate([corners, index.vectors([track.id for track in candidates])])
    lattice = build_lattice(vectors, 1 + VARIATION * jitter([track.id for track in tracks], seed), len(ids))

    def build(count: int) -> Attempt:
        def find(rules: SequenceRules) -> tuple[int, ...]:
            return even_path(lattice, count, SequenceFilter(tracks, rules, range(len(ids))))

        return build_longest(find, tracks, rules, count)

    attempt = fit_length(build, length, float(np.mean(durations(tracks))), len(ids))
    return OrderedTracks(attempt.tracks, describe_attempt(attempt, rules))


def build_lattice(vectors: Vectors, pace: NDArray[np.float64], waypoints: int) -> Lattice:
    """Lay out waypoints, and the candidates after them, in a leg between every two of the waypoints.

    The cost of a step is the angle in radians, as far as it goes forward, times the pace (n,) of its target.
    """
    places = [np.zeros(1, np.intp)]
    legs = []
    start = 0
    for number in range(waypoints - 1):
        nodes = np.array([number, *between(vectors, number, waypoints), number + 1])
        steps = angles(vectors[nodes], vectors[nodes]) * pace[nodes]
        legs.append(Leg(start, np.where(np.triu(np.ones(steps.shape, bool), k=1), steps, np.inf)))
        places.append(nodes[1:])
        start += len(nodes) - 1
    return Lattice(np.concatenate(places), legs)


def between(vectors: Vectors, leg: int, waypoints: int) -> Integers:
    """Return the candidates of a leg in the order in which they come nearer to its end."""
    candidates = vectors[waypoints:]
    behind, ahead = angles(candidates, vectors[[leg]])[:, 0], angles(candidates, vectors[[leg + 1]])[:, 0]
    least = np.argsort(behind + ahead, kind="stable")[:LEG]
    progress = behind[least] / np.maximum(behind[least] + ahead[least], SLACK)
    inner: Integers = waypoints + least[np.argsort(progress, kind="stable")]
    return inner


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


def even_path(lattice: Lattice, count: int, sequences: SequenceFilter) -> tuple[int, ...]:
    """Return the positions of the tracks of the path of `count`, or of the longest there is."""
    walks = find_walks(lattice, count - 1, np.maximum, sequences.allow)
    if not walks:
        return ()
    longest, places = walks[-1]
    # Of those whose longest step is the shortest, the one with the least sum of squared steps.
    capped = [
        Leg(leg.start, np.where(leg.costs <= longest + SLACK, np.square(leg.costs), np.inf)) for leg in lattice.legs
    ]
    even = find_walks(Lattice(lattice.places, capped), len(places) - 1, np.add, sequences.allow)
    return even[-1][1] if even and len(even[-1][1]) == len(places) else places
