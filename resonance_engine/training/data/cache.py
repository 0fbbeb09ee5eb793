"""Features of songs, computed once: what a cache of them can be asked, and the two that there are."""

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
    a cache are measured as its `spec` says. Raises CacheError where what is kept cannot be trusted, KeyError for a key
    that is not there, IndexError for a window that the song does not have.
    """

    spec: FeatureSpec

    def keys(self, maker: str = UNCHANGED) -> set[bytes]:
        """The keys whose features were made by `maker`."""

    def put(self, key: bytes, features: Measured, maker: str = UNCHANGED) -> None:
        """Keep the features of a song's windows for good, instead of those that were there.

        ValueError when they are none: another number of windows or shape in some modality, none at all, or values
        that float16 does not hold.
        """

    def windows(self, key: bytes) -> int:
        """How many windows of a song there are."""

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        """The features of these windows of a song, of all if none are named; not to be written to."""

    def close(self) -> None:
        """Let go of files and memory."""
