"""Pairs of recordings by name: of one group, of two, and of the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from benchmarks.duplicates.recordings import EmbeddedRecording

Pair = tuple[str, str]


def pairs_within(groups: Mapping[str, str]) -> list[Pair]:
    """Return the pairs of names that are in one group."""
    names = list(groups)
    return [(a, b) for at, a in enumerate(names) for b in names[at + 1 :] if groups[a] == groups[b]]


def pairs_across(groups: Mapping[str, str]) -> list[Pair]:
    """Return the pairs of names that are in two groups."""
    names = list(groups)
    return [(a, b) for at, a in enumerate(names) for b in names[at + 1 :] if groups[a] != groups[b]]


def pairs_near(recordings: Mapping[str, EmbeddedRecording], nearest: int) -> list[Pair]:
    """Return the pairs of a recording and one of its `nearest` nearest, each once."""
    names = list(recordings)
    vectors = np.stack([recording.vector for recording in recordings.values()])
    order = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")[:, : nearest + 1]
    pairs = {(min(row, column), max(row, column)) for row, columns in enumerate(order.tolist()) for column in columns}
    return [(names[row], names[column]) for row, column in sorted(pairs) if row != column]


def count_distinct(kinds: Iterable[Collection[Pair]]) -> int:
    """Return how many pairs there are of any kind, whichever way round."""
    return len({frozenset(pair) for pairs in kinds for pair in pairs})
