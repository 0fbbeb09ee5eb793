"""Neighbours -> an ordered list that starts at the seed, flows from track to track and does not drift away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ANCHOR = 0.5  # weight of closeness to the seed against closeness to the track before
SPACING = 2  # tracks between two of one artist, where there is a choice


def journey(
    seed: NDArray[np.float32], vectors: NDArray[np.float32], artists: Sequence[str], count: int, opening: str = ""
) -> list[int]:
    """Positions of `count` candidates in playing order.

    Each next track is the one with the largest ANCHOR * sim(track, seed) + (1 - ANCHOR) * sim(track, last played),
    among those whose artist was not played within the last SPACING tracks; where no such track is left, the last one,
    or any. `seed` (d,) and `vectors` (n, d) are unit vectors, `opening` is the artist of the track that the list opens
    with. An empty artist is nobody's.
    """
    to_seed = vectors @ seed
    last = to_seed
    names = np.array([opening, *artists])
    played = [0]  # positions in `names`
    left = np.ones(len(vectors), bool)
    order: list[int] = []
    while left.any() and len(order) < count:
        score = ANCHOR * to_seed + (1 - ANCHOR) * last
        best = int(np.argmax(np.where(spaced(names, played, left), score, -np.inf)))
        order.append(best)
        left[best] = False
        last = vectors @ vectors[best]
        played.append(best + 1)
    return order


def spaced(names: NDArray[np.str_], played: list[int], left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the tracks left whose artist was not played within the last tracks, as many of these as can be."""
    for span in range(SPACING, 0, -1):
        recent = names[played[-span:]]
        fresh = left & ~np.isin(names[1:], recent[recent != ""])
        if fresh.any():
            return fresh
    return left


def within(seconds: float, lengths: Sequence[float]) -> int:
    """How many tracks from the start of a list come closest to playing for `seconds`; at least one."""
    total = np.cumsum(np.asarray(lengths, np.float64))
    return int(np.argmin(np.abs(total - seconds))) + 1 if len(total) else 0
