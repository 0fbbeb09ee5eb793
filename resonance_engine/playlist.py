"""Neighbours -> an ordered list that starts at the seed, flows from track to track and does not drift away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ANCHOR = 0.5  # weight of closeness to the seed against closeness to the track before
SPACING = 2  # tracks between two of one artist, unless the others sound much less alike
REPETITION = 0.2  # what an artist who was just played costs, as a cosine


def journey(
    seed: NDArray[np.float32], vectors: NDArray[np.float32], artists: Sequence[str], count: int, opening: str = ""
) -> list[int]:
    """Positions of `count` candidates in playing order.

    Each next track is the one with the largest ANCHOR * sim(track, seed) + (1 - ANCHOR) * sim(track, last played),
    less REPETITION if its artist was played within the last SPACING tracks: another artist is preferred, but not one
    who does not fit at all. `seed` (d,) and `vectors` (n, d) are unit vectors, `opening` is the artist of the track
    that the list opens with. An empty artist is nobody's.
    """
    to_seed = vectors @ seed
    last = to_seed
    names = np.array(artists, dtype=np.str_)
    recent = [opening]
    left = np.ones(len(vectors), bool)
    order: list[int] = []
    while left.any() and len(order) < count:
        repeated = np.isin(names, [artist for artist in recent if artist])
        score = ANCHOR * to_seed + (1 - ANCHOR) * last - REPETITION * repeated
        best = int(np.argmax(np.where(left, score, -np.inf)))
        order.append(best)
        left[best] = False
        last = vectors @ vectors[best]
        recent = [*recent, artists[best]][-SPACING:]
    return order


def within(seconds: float, lengths: Sequence[float]) -> int:
    """How many tracks from the start of a list come closest to playing for `seconds`; at least one."""
    total = np.cumsum(np.asarray(lengths, np.float64))
    return int(np.argmin(np.abs(total - seconds))) + 1 if len(total) else 0
