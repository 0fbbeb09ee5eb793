"""A training set small enough for a test: windows around a sound of each song's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.training.data.cache import RamCache
from resonance_engine.training.data.dataset import WindowSet
from tests.tiny_models import SPEC

if TYPE_CHECKING:
    from numpy.typing import NDArray


def song_windows(song: int, windows: int = 3, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Features of a song's windows as the front end of SPEC could give them, all alike."""
    random = np.random.default_rng((seed, song))
    arrays = {}
    for name, each in SPEC.modalities.items():
        shape = each.shape(SPEC.decoding)
        own = random.random((1, *shape[:1], *(1 for _ in shape[1:])))
        values = 0.7 * own + 0.3 * random.random((windows, *shape))
        arrays[name] = (80 * values - 90 if name == "timbre" else values).astype(np.float32)
    return arrays


def make_window_set(songs: int = 12, windows: int = 3, seed: int = 0) -> WindowSet:
    """Songs with an identity each; three in a row are of one group."""
    cache = RamCache(SPEC)
    keys = [bytes([song]) * 16 for song in range(songs)]
    for song, key in enumerate(keys):
        cache.put(key, song_windows(song, windows, seed))
    names = [str(song) for song in range(songs)]
    return WindowSet(cache, keys, names, [str(song // 3) for song in range(songs)], preload=True)
