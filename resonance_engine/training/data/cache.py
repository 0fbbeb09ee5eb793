"""Caches of songs' features: the protocol, and its two implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from resonance_engine.training.data.ram_cache import UNCHANGED, RamCache
from resonance_engine.training.data.sqlite_cache import SqliteCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.features.spec import FeatureSpec
    from resonance_engine.training.data.ram_cache import Features, Measured

__all__ = ["UNCHANGED", "FeatureCache", "RamCache", "SqliteCache"]


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
