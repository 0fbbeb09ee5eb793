"""Caches of songs' features: the protocol, the checks that all share, and the cache in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.features.spec import FeatureSpec

    Features = dict[str, NDArray[np.float16]]
    Measured = Mapping[str, NDArray[np.floating]]

UNCHANGED = ""
"""The maker of features of unchanged audio; those of augmented audio name the augmentation."""

GIGABYTE = 1e9


class RamCache:
    """A cache that lasts as long as the program; CacheError when it exceeds the machine's memory."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.size = 0
        self.entries: dict[bytes, tuple[str, Features]] = {}

    def keys(self, maker: str = UNCHANGED) -> set[bytes]:
        return {key for key, (by, _) in self.entries.items() if by == maker}

    def put(self, key: bytes, features: Measured, maker: str = UNCHANGED) -> None:
        kept = to_float16(features, shapes_of(self.spec))
        before = self.entries[key][1] if key in self.entries else {}
        size = self.size + sum(x.nbytes for x in kept.values()) - sum(x.nbytes for x in before.values())
        require_memory(size, "set cache.backend to sqlite")
        self.entries[key], self.size = (maker, kept), size

    def windows(self, key: bytes) -> int:
        return len(next(iter(self.entries[key][1].values())))

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        features = self.entries[key][1]
        if rows is None:
            return dict(features)
        check_rows(rows, self.windows(key))
        chosen = np.asarray(rows, np.intp)
        return {name: values[chosen] for name, values in features.items()}

    def close(self) -> None:
        self.entries.clear()
        self.size = 0


def require_memory(size: int, remedy: str) -> None:
    """Raise CacheError, with the remedy, unless `size` bytes of features fit into the machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise CacheError(
            f"The features take {size / GIGABYTE:.1f} GB and this machine has {memory / GIGABYTE:.1f} GB of memory; "
            f"{remedy}."
        )


def shapes_of(spec: FeatureSpec) -> dict[str, tuple[int, ...]]:
    """Return the shape of a window's features, by modality."""
    return {name: each.shape(spec.decoding) for name, each in spec.modalities.items()}


def to_float16(features: Measured, shapes: Mapping[str, tuple[int, ...]]) -> Features:
    """Convert features to float16, in the order of `shapes`; ValueError where they do not fit."""
    if set(features) != set(shapes):
        raise ValueError(f"expected the modalities {', '.join(shapes)}, not {', '.join(features)}")
    counts = {len(values) for values in features.values()}
    if len(counts) > 1 or 0 in counts:
        raise ValueError(f"expected the same windows in all modalities, at least one, not {sorted(counts)}")
    kept: Features = {}
    for name, shape in shapes.items():
        if features[name].shape[1:] != tuple(shape):
            raise ValueError(f"expected {name} of the shape (windows, {shape}), not {features[name].shape}")
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            kept[name] = np.array(features[name], np.float16)
        if not np.isfinite(kept[name]).all():
            raise ValueError(f"expected finite values that float16 holds in {name}")
    return kept


def check_rows(rows: Sequence[int], windows: int) -> None:
    """Raise IndexError unless all rows are windows of a song; negative ones are not."""
    wrong = [row for row in rows if not 0 <= row < windows]
    if wrong:
        raise IndexError(f"there is no window {wrong[0]} of {windows}")


class FeatureCache(Protocol):
    """Features of songs' windows by key, (windows, ...) of float16 by modality.

    A key is a song's content key; changed versions of its audio have the content key and one more byte. All songs of
    a cache are measured by its `spec`. Raises CacheError for damaged contents, KeyError for an absent key,
    IndexError for a window that the song does not have.
    """

    spec: FeatureSpec

    def keys(self, maker: str = UNCHANGED) -> set[bytes]:
        """Return the keys whose features were made by `maker`."""

    def put(self, key: bytes, features: Measured, maker: str = UNCHANGED) -> None:
        """Store the features of a song's windows, in place of any earlier ones.

        Raises ValueError for another number of windows or shape in some modality, no windows at all, or values that
        float16 does not hold.
        """

    def windows(self, key: bytes) -> int:
        """Return the number of windows of a song."""

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        """Return the features of these windows of a song, of all without `rows`; not to be written to."""

    def close(self) -> None:
        """Release files and memory."""
