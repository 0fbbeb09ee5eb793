"""Arcs: lists along which an attribute rises, falls, peaks or dips, while they stay close to the seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
from resonance_engine.playlist.order import ANCHOR
from resonance_engine.playlist.rules import (
    VARIATION,
    OrderedTracks,
    SequenceFilter,
    SequenceRules,
    Track,
    TrackPool,
    durations,
    jitter,
)
from resonance_engine.suggestions import nearest_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resonance_engine.playlist.rules import Length

    Numbers = NDArray[np.float64]

# Perceptual scales: a tone or a beat of twice the frequency is as far from one as one is from its half.
SCALES: dict[str, Callable[[Numbers], Numbers]] = {
    "energy": np.asarray,
    "tempo": lambda values: np.log2(values),
    "brightness": lambda values: np.log2(values),
}
UNITS = {"energy": "dBFS", "tempo": "BPM", "brightness": "Hz"}

# From the beginning of a list, 0, to its end, 1: where the attribute should be between its lowest, 0, and highest, 1.
SHAPES: dict[str, Callable[[Numbers], Numbers]] = {
    "rise": lambda place: place,
    "fall": lambda place: 1 - place,
    "peak": lambda place: 1 - np.abs(2 * place - 1),
    "valley": lambda place: np.abs(2 * place - 1),
}
ENDS = (5, 95)  # percentiles of an attribute in the pool that an arc spans, against outliers
PULL = 0.5  # weight of being where the arc should be, its height being 1, against closeness as a cosine
LARGEST = 400  # tracks of a pool that an arc is made from: the closest


@dataclass(frozen=True)
class Arc:
    """An attribute (tempo, energy or brightness) and its shape along the list (rise, fall, peak or valley)."""

    attribute: str
    shape: str

    @classmethod
    def parse(cls, text: str) -> Arc:
        """Parse a text such as "energy:rise"; PlaylistError for any other."""
        attribute, _, shape = text.partition(":")
        if attribute not in SCALES or shape not in SHAPES:
            near = [*nearest_names(attribute, SCALES), *nearest_names(shape, SHAPES)]
            hint = f"; did you mean {':'.join(near)}?" if len(near) == 2 else "."
            raise PlaylistError(
                f"An arc is one of {', '.join(SCALES)}, a colon, and one of {', '.join(SHAPES)}, "
                f"such as energy:rise, not {text!r}{hint}"
            )
        return cls(attribute, shape)

    def __str__(self) -> str:
        return f"{self.attribute}:{self.shape}"


def order_by_arc(
    pool: TrackPool, arc: Arc, length: Length, rules: SequenceRules | None = None, seed: int | None = None
) -> OrderedTracks:
    """Return a list from a pool whose attribute turns only where the arc does, and spans its range in the pool.

    It is the one of the length with the least cost: for each track, ANCHOR of what it lacks in closeness to the seeds,
    1 - ANCHOR of what it lacks in closeness to the track before, and PULL times its distance from where the arc is at
    its place, as a share of the span; exactly so where it does not bend and no rule forbids anything, else nearly.
    Tracks without the attribute are left out. Rules hold; as the arc makes the order, works cannot stay together:
    unless `rules.works` is "ignore", there is one track of a work at most. A number as `seed` varies the list. The
    first of the notes says what the attribute goes through. Raises PlaylistError where no track has the attribute.
    """
    rules = SequenceRules() if rules is None else rules
    having = [place for place, track in enumerate(pool.tracks) if is_valid(track.attributes.get(arc.attribute), arc)]
    if not having:
        raise PlaylistError(
            f"None of the {format_count(len(pool.tracks))} to choose from has its {arc.attribute} measured, "
            f"which {arc} needs."
        )
    having.sort(key=lambda place: -pool.closeness[place])
    rows = np.array(having[:LARGEST], np.intp)
    closest = TrackPool([pool.tracks[row] for row in rows], pool.vectors[rows], pool.closeness[rows])
    height = relative_heights(closest, arc)
    lattice = build_lattice(closest, height, arc)
    liking = ANCHOR * closest.closeness + VARIATION * jitter([track.id for track in closest.tracks], seed)

    def build(count: int) -> Attempt:
        def find(rules: SequenceRules) -> tuple[int, ...]:
            return best_places(lattice, height, liking, arc, count, SequenceFilter(closest.tracks, rules))

        return build_longest(find, closest.tracks, rules, count)

    attempt = fit_length(build, length, float(np.mean(durations(closest.tracks))), 1)
    notes = [describe_span(attempt.tracks, arc), *describe_attempt(attempt, rules, "list")]
    if len(having) < len(pool.tracks):
        without = f"{format_count(len(pool.tracks) - len(having))} of {len(pool.tracks):,}"
        notes.append(f"{without} to choose from left out, for want of a measured {arc.attribute}.")
    return OrderedTracks(attempt.tracks, tuple(notes))


def is_valid(value: Any, arc: Arc) -> bool:
    """Whether an attribute is a number that its scale takes."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not np.isfinite(value):
        return False
    return arc.attribute == "energy" or value > 0


def relative_heights(pool: TrackPool, arc: Arc) -> Numbers:
    """Return the attribute of each track (n,) on its scale, 0 and 1 being the percentiles ENDS of the pool."""
    values = SCALES[arc.attribute](np.array([track.attributes[arc.attribute] for track in pool.tracks], np.float64))
    low, high = np.percentile(values, ENDS)
    heights: Numbers = (values - low) / max(high - low, 1e-9)
    return heights


def build_lattice(pool: TrackPool, height: Numbers, arc: Arc) -> Lattice:
    """Lay out the tracks from low to high and from high to low, as the arc goes, between a first and a last node.

    The cost of a step is 1 - ANCHOR of what two tracks lack in closeness to each other.
    """
    upwards = np.argsort(height, kind="stable")
    first = upwards if arc.shape in ("rise", "peak") else upwards[::-1]
    parts = [first, first[::-1]] if arc.shape in ("peak", "valley") else [first]
    inner = np.concatenate(parts)
    costs = np.full((len(inner) + 2, len(inner) + 2), np.inf)
    costs[0, 1:-1] = 0.0
    costs[1:-1, -1] = 0.0
    lacking = (1 - ANCHOR) * (1 - pool.vectors @ pool.vectors.T)
    steps = np.where(np.triu(np.ones((len(inner), len(inner)), bool), k=1), lacking[np.ix_(inner, inner)], np.inf)
    if len(parts) == 2:
        # The way back begins no further out than the way there ended.
        out = height if arc.shape == "peak" else -height
        back = out[first[::-1]][None, :] <= out[first][:, None]
        steps[: len(first), len(first) :] = np.where(back, steps[: len(first), len(first) :], np.inf)
    costs[1:-1, 1:-1] = steps
    return Lattice(np.array([-1, *inner, -1], np.intp), [Leg(0, costs)])


def best_places(
    lattice: Lattice, height: Numbers, liking: Numbers, arc: Arc, count: int, sequences: SequenceFilter
) -> tuple[int, ...]:
    """Return the positions of the tracks of the best list of `count`, or of the longest there is."""
    count = min(count, len(height))
    while count:
        place = np.linspace(0, 1, count) if count > 1 else np.array([0.5])
        aims = SHAPES[arc.shape](place)
        toll = np.zeros((count + 1, len(lattice.places)))
        tracks = lattice.places[1:-1]
        toll[:count, 1:-1] = PULL * np.abs(height[tracks] - aims[:, None]) - liking[tracks]
        walks = find_walks(lattice, count + 1, np.add, sequences.allow, toll)
        longest = max((len(places) for _, places in walks), default=0) - 2
        if longest >= count:
            return walks[-1][1][1:-1]
        count = max(longest, 0)
    return ()


def describe_span(tracks: tuple[Track, ...], arc: Arc) -> str:
    """Return a sentence about the attribute along a list."""
    values = [float(track.attributes[arc.attribute]) for track in tracks]
    marks = [values[0], values[-1]]
    if arc.shape in ("peak", "valley"):
        marks.insert(1, max(values) if arc.shape == "peak" else min(values))
    rounded = [f"{round(mark):,}" for mark in marks]
    course = f"goes from {' to '.join(rounded)}" if len(set(rounded)) > 1 else f"stays at {rounded[0]}"
    return f"The {arc.attribute} {course} {UNITS[arc.attribute]}."
