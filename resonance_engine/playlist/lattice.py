"""The cheapest walk through ordered tracks in a number of steps: dynamic programming with rules, to fit a length."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.errors import format_count
from resonance_engine.playlist.rules import Length, Track, durations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.playlist.rules import Integers, Mask, SequenceRules

    Costs = NDArray[np.float64]
    Allow = Callable[[Integers, Integers], Mask]

MOST_PREDECESSORS = 32  # of a node that are tried at each step
TRIES = 8  # numbers of tracks that are tried for a playing time


@dataclass(frozen=True)
class Leg:
    """Nodes from number `start` on, and the costs (m, m) of the steps from one to another, infinite for no step."""

    start: int
    costs: Costs


@dataclass(frozen=True)
class Lattice:
    """Nodes that lead from the first to the last: the track that each stands for (-1: none), in legs.

    Steps lead only to later nodes of the same leg; the last node of a leg is the first of the next. Several nodes can
    stand for one track.
    """

    places: Integers
    legs: Sequence[Leg]


def find_walks(
    lattice: Lattice, steps: int, combine: np.ufunc, allow: Allow, toll: Costs | None = None
) -> list[tuple[float, tuple[int, ...]]]:
    """Return the cheapest walks of 1 to `steps` steps, where there is one, each as its cost and the tracks along it.

    Costs combine by np.add or np.maximum. `toll` (steps, nodes) is the cost of being at a node after a number of steps.
    `allow` returns for k walks (k, length) and next tracks (k,) which may go on so. Each node remembers the best walk
    to it of each length: with rules that forbid nothing the answer is exact (Bellman 1957); with others it keeps them,
    and a walk that the rules allow may be missed.
    """
    count = len(lattice.places)
    costs = np.full(count, np.inf)
    costs[0] = 0.0
    ways: Integers = np.full((count, 1), -1, np.intp)
    ways[0] = lattice.places[0]
    walks = []
    for step in range(1, steps + 1):
        reached = np.full(count, np.inf)
        longer = np.full((count, step + 1), -1, np.intp)
        for leg in lattice.legs:
            part = slice(leg.start, leg.start + len(leg.costs))
            totals = combine(costs[part, None], leg.costs)
            if toll is not None:
                totals = totals + toll[step - 1, part]
            came, total = best_predecessors(totals, ways[part], lattice.places[part], allow)
            here = np.flatnonzero(came >= 0)
            reached[leg.start + here] = total[here]
            longer[leg.start + here, :-1] = ways[leg.start + came[here]]
            longer[leg.start + here, -1] = lattice.places[leg.start + here]
        costs, ways = reached, longer
        if np.isfinite(costs[-1]):
            walks.append((float(costs[-1]), tuple(int(place) for place in ways[-1])))
    return walks


def best_predecessors(totals: Costs, ways: Integers, places: Integers, allow: Allow) -> tuple[Integers, Costs]:
    """Return for each of m nodes the best predecessor (-1: none) and the cost, by `totals` (m, m), which is used up."""
    came = np.full(len(places), -1, np.intp)
    costs = np.full(len(places), np.inf)
    waiting = np.flatnonzero(np.isfinite(totals).any(axis=0))
    for _ in range(MOST_PREDECESSORS):
        if not len(waiting):
            break
        best = totals[:, waiting].argmin(axis=0)
        total = totals[best, waiting]
        possible = np.isfinite(total)
        best, total, waiting = best[possible], total[possible], waiting[possible]
        good = allow(ways[best], places[waiting])
        came[waiting[good]], costs[waiting[good]] = best[good], total[good]
        totals[best[~good], waiting[~good]] = np.inf
        waiting = waiting[~good]
    return came, costs


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


def build_longest(
    find: Callable[[SequenceRules], tuple[int, ...]], tracks: Sequence[Track], rules: SequenceRules, count: int
) -> Attempt:
    """Return the list of `count` tracks, or the longest there is, with spacing relaxed if needed.

    `find` returns the positions of the tracks of the best list under rules.
    """
    best: tuple[int, ...] = ()
    kept = rules
    for relaxed in rules.relaxations():
        places = find(relaxed)
        if len(places) > len(best):
            best, kept = places, relaxed
        if len(best) == count:
            break
    return Attempt(count, tuple(tracks[place] for place in best), kept)


def describe_attempt(attempt: Attempt, rules: SequenceRules, noun: str = "path") -> tuple[str, ...]:
    """Return sentences about relaxed rules and a missing length."""
    notes, kept = [], attempt.rules
    if kept != rules:
        notes.append(
            f"The spacing per artist and album is {max(kept.artist_spacing, kept.album_spacing)}, "
            f"not {max(rules.artist_spacing, rules.album_spacing)}: there was no other {noun} of this length."
        )
    count = len(attempt.tracks)
    if count < attempt.requested:
        where = " between its ends" if noun == "path" else ""
        reason = f"there are no more{where} that the rules let in"
        notes.append(f"The {noun} has {format_count(count)}, not {attempt.requested:,}: {reason}.")
    return tuple(notes)
