"""Which of several files of one recording to keep: the first of a list of criteria in which they differ decides."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from beets.library import Item

# As beets names formats.
LOSSLESS = frozenset(("AIFF", "ALAC", "APE", "DSD Stream File", "FLAC", "WAVE", "WavPack"))
TAGS = (
    "title", "artist", "album", "albumartist", "year", "track", "tracktotal", "disc", "genres", "composers",
    "mb_trackid", "mb_albumid", "mb_artistid",
)  # fmt: skip
RATE_STEP = 16_000  # bit/s: below it, variable rates differ by chance
LENGTH_STEP = 2.0  # seconds: below it, encoders pad


class Criterion(NamedTuple):
    """A number of an item, of which the greatest wins, by `step` at least, and what is said of an item that has it."""

    reason: str
    measure: Callable[[Item], float]
    step: float = 0.0


def is_lossless(item: Item) -> bool:
    return item.format in LOSSLESS


CRITERIA = (
    Criterion("its file is there", lambda item: os.path.exists(item.path)),  # noqa: PTH110 - bytes, maybe no text
    Criterion("lossless", is_lossless),
    Criterion("higher resolution", lambda item: item.samplerate * item.bitdepth if is_lossless(item) else 0),
    Criterion("higher bitrate", lambda item: 0 if is_lossless(item) else item.bitrate, RATE_STEP),
    Criterion("longer", lambda item: item.length, LENGTH_STEP),
    Criterion("more complete tags", lambda item: sum(bool(item.get(name)) for name in TAGS)),
    Criterion("in an album", lambda item: item.album_id is not None),
    Criterion("in the library for longer", lambda item: -(item.added or 0.0)),
    Criterion("the lowest id", lambda item: -(item.id or 0)),
)


def choose_best(items: Iterable[Item]) -> tuple[list[Item], str]:
    """Return the items, the one to keep first, and the reason: the first criterion by which it beats the next.

    The reason adds by how much another is longer, which may hold music that this one lacks.
    """
    groups, reason = [list(items)], ""
    for criterion in CRITERIA:
        tied = len(groups[0])
        groups = [part for group in groups for part in split_ties(group, criterion)]
        if len(groups[0]) < tied:
            reason = criterion.reason  # the last one that makes the first group smaller tells its two best apart
    ranked = [item for group in groups for item in group]
    if len(ranked) > 1:
        missing = max(item.length for item in ranked) - ranked[0].length
        reason += f", but {missing:.0f} s shorter than another" if missing >= LENGTH_STEP else ""
    return ranked, reason


def split_ties(items: list[Item], criterion: Criterion) -> list[list[Item]]:
    """Split items into groups, the best first, in each of which all are less than a step below the greatest.

    Differences from one greatest number make an order; those between any two would not, for ties of ties may differ.
    """
    groups: list[list[Item]] = []
    greatest = 0.0
    for value, item in sorted(((float(criterion.measure(item)), item) for item in items), key=by_value, reverse=True):
        if groups and (value == greatest or greatest - value < criterion.step):
            groups[-1].append(item)
        else:
            groups.append([item])
            greatest = value
    return groups


def by_value(measured: tuple[float, Item]) -> float:
    return measured[0]
