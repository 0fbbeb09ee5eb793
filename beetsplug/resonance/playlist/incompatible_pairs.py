"""Pairs of tracks that must not be in one playlist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.fields.analysis_cache import AnalysisCache

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Library

    from beetsplug.resonance.library.sidecar import Sidecar


def incompatible_pairs(sidecar: Sidecar, vector_ids: Iterable[int]) -> frozenset[tuple[int, int]]:
    """The incompatible pairs among these vectors, by vector id, the smaller one first."""
    pairs = sidecar.store.incompatible_pairs.all() if sidecar.exists else frozenset()
    if not pairs:
        return frozenset()
    ids = {key: vector_id for vector_id, key in sidecar.store.vectors.content_keys(vector_ids).items()}
    present = ((ids[one], ids[other]) for one, other in pairs if one in ids and other in ids)
    return frozenset((min(pair), max(pair)) for pair in present)


def content_keys(library: Library) -> dict[int, bytes]:
    """The content keys of the analysed items, by item id."""
    return AnalysisCache(lambda _, keys: {key: key for key in keys}).get_all(library)


def pair_count(one: set[bytes], other: set[bytes]) -> int:
    """How many pairs there are of one of each: unordered, and of two different ones."""
    both = len(one & other)
    return len(one) * len(other) - both * (both + 1) // 2
