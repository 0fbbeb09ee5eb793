"""Training sets small enough for a test: windows around a sound of each song's own, or labelled by their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.training.config.settings import AugmentSettings
from resonance_engine.training.data.cache import RamCache
from resonance_engine.training.data.dataset import WindowSet
from tests.tiny_models import SPEC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.features.spec import FeatureSpec
    from resonance_engine.training.data.cache import FeatureCache

OFF = AugmentSettings(tilt_db=0, curve_db=0, band_mask=0, time_mask=0, chroma_noise=0, rhythm_noise=0)
COUNTS = (2, 1, 3, 2, 2)
KEYS = tuple(bytes([song]) * 16 for song in range(5))
SONGS = ("0", "1", "2", "3", "4")
GROUPS = ("b", "a", "b", "c", "a")
MAKER = "a stand-in 1"


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


def labelled_features(song: int, windows: int, spec: FeatureSpec = SPEC, view: int = 0) -> dict[str, NDArray[Any]]:
    """Features that say their song (hundreds), window (tens), audio view (thousands) and, where timed, frame."""
    base = 100.0 * song + 10.0 * np.arange(windows) + 1000 * view
    shapes = {name: each.shape(spec.decoding) for name, each in spec.modalities.items()}
    made = {
        name: np.broadcast_to(base.reshape(-1, *(1 for _ in shape)), (windows, *shape))
        for name, shape in shapes.items()
    }
    return {name: values if name == "rhythm" else values + np.arange(values.shape[-1]) for name, values in made.items()}


def fill_cache(cache: FeatureCache) -> FeatureCache:
    for song, count in enumerate(COUNTS):
        cache.put(KEYS[song], labelled_features(song, count, cache.spec))
    return cache
