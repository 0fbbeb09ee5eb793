"""The windows of many songs in one sequence, in memory or read one by one on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.training.data.ram_cache import RamCache, require_memory, shapes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.training.data.cache import FeatureCache
    from resonance_engine.training.data.ram_cache import Features


class WindowRows:
    """The windows of songs, one song after another; song i has the rows `first[i]` to `first[i + 1]` - 1.

    With `preload` they are read into memory at once, unless the cache is in memory; CacheError if they do not fit.
    """

    def __init__(self, cache: FeatureCache, keys: Sequence[bytes], preload: bool) -> None:
        self.cache = cache
        self.keys = list(keys)
        counts = [cache.windows(key) for key in keys]
        self.first: NDArray[np.intp] = np.cumsum([0, *counts], dtype=np.intp)
        self.song: NDArray[np.intp] = np.repeat(np.arange(len(counts)), counts)
        self.shapes = shapes_of(cache.spec)
        self.kept = self.preload() if preload and not isinstance(cache, RamCache) else None

    def __len__(self) -> int:
        return len(self.song)

    def preload(self) -> Features:
        size = 2 * len(self) * sum(int(np.prod(shape)) for shape in self.shapes.values())
        require_memory(size, "set cache.preload_ram to false")
        kept = {name: np.empty((len(self), *shape), np.float16) for name, shape in self.shapes.items()}
        for song, key in enumerate(self.keys):
            for name, values in self.cache.read(key).items():
                kept[name][self.first[song] : self.first[song + 1]] = values
        return kept

    def window(self, row: int) -> Features:
        """Return the features of one window, by modality."""
        if self.kept is not None:
            return {name: values[row] for name, values in self.kept.items()}
        song = self.song[row]
        read = self.cache.read(self.keys[song], [int(row - self.first[song])])
        return {name: values[0] for name, values in read.items()}
