"""Pairs of tracks that must not be in one playlist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.fields.analysis_cache import AnalysisCache

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Library

    from beetsplug.resonance.library.sidecar import Sidecar


def incompatible_pairs(sidecar: Sidecar, vector_ids: Iterable[int]) -> frozenset[tuple[int, int]]:
    """Return the incompatible pairs among these vectors, by vector id, the smaller one first."""
    pairs = sidecar.store.incompatible_pairs.all() if sidecar.exists else frozenset()
    if not pairs:
        return frozenset()
    ids = {key: vector_id for vector_id, key in sidecar.store.vectors.content_keys(vector_ids).items()}
    present = ((ids[one], ids[other]) for one, other in pairs if one in ids and other in ids)
    return frozenset((min(pair), max(pair)) for pair in present)


def content_keys(library: Library) -> dict[int, bytes]:
    """Return the content keys of the analysed items, by item id."""
    return AnalysisCache(lambda _, keys: {key: key for key in keys}).get_all(library)


def count_pairs(one: set[bytes], other: set[bytes]) -> int:
    """Return the number of unordered pairs of two different recordings, one of each set."""
    both = len(one & other)
    return len(one) * len(other) - both * (both + 1) // 2
