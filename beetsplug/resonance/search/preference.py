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
    """A number of an item, of which the greatest wins, and what is said of an item that has it."""

    reason: str
    measure: Callable[[Item], float]


def is_lossless(item: Item) -> bool:
    return item.format in LOSSLESS


CRITERIA = (
    Criterion("its file is there", lambda item: os.path.exists(item.path)),  # noqa: PTH110 - bytes, maybe no text
    Criterion("lossless", is_lossless),
    Criterion("higher resolution", lambda item: item.samplerate * item.bitdepth if is_lossless(item) else 0),
    Criterion("higher bitrate", lambda item: 0 if is_lossless(item) else item.bitrate // RATE_STEP),
    Criterion("longer", lambda item: item.length // LENGTH_STEP),
    Criterion("more complete tags", lambda item: sum(bool(item.get(name)) for name in TAGS)),
    Criterion("in an album", lambda item: item.album_id is not None),
    Criterion("in the library for longer", lambda item: -(item.added or 0.0)),
    Criterion("the lowest id", lambda item: -(item.id or 0)),
)


def choose_best(items: Iterable[Item]) -> tuple[list[Item], str]:
    """Return the items, the one to keep first, and the reason: the first criterion by which it beats the next.

    The reason adds by how much another is longer, which may hold music that this one lacks.
    """
    measured = [(tuple(float(criterion.measure(item)) for criterion in CRITERIA), item) for item in items]
    measured.sort(key=lambda pair: pair[0], reverse=True)
    reason = ""
    if len(measured) > 1:
        best, second = measured[0][0], measured[1][0]
        reason = next(
            criterion.reason for criterion, mine, others in zip(CRITERIA, best, second, strict=True) if mine > others
        )
        missing = max(item.length for _, item in measured) - measured[0][1].length
        reason += f", but {missing:.0f} s shorter than another" if missing >= LENGTH_STEP else ""
    return [item for _, item in measured], reason
