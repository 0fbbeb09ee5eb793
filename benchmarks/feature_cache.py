"""Measure the gain of cached features: the time to read a song's, and of an epoch, with and without a cache.

python -m benchmarks.feature_cache            some songs written to a temporary folder
python -m benchmarks.feature_cache FILE...    your own files

Wall-clock medians; for times of one core set OMP_NUM_THREADS=1. "audio" analyses every window anew whenever it is
drawn.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.measure import median_times
from resonance_engine.audio.windows import content_key, read_windows
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import FeatureSpec
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.config.settings import AugmentSettings, TrainSettings
from resonance_engine.training.data.cache import FeatureCache, RamCache, SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.learning.loop import train
from tests.audio_files import tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resonance_engine.training.data.cache import Features

SPEC = FeatureSpec()
SONGS = 12
FRAMES = 300
RECIPE = TrainSettings(use_amp=False, epochs=1, warmup_epochs=0, batch_identities=64, views_per_song=2)


class UncachedFeatures(RamCache):
    """A cache that is not used: features are computed whenever they are read."""

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__(SPEC)
        self.front_end = FrontEnd(SPEC)
        self.files = {content_key(path): path for path in files}
        for key, path in self.files.items():
            self.put(key, self.front_end(read_windows(path, SPEC.decoding).windows))

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        windows = read_windows(self.files[key], SPEC.decoding).windows
        drawn = windows if rows is None else windows[list(rows)]
        return {name: values.astype(np.float16) for name, values in self.front_end(drawn).items()}


def write_songs(folder: Path) -> Iterator[Path]:
    for song in range(SONGS):
        yield write_audio(folder / f"{song}.mp3", tune(60.0, seed=song), 44100, repeats=3)


def print_times(title: str, times: dict[str, float], share: int = 1) -> None:
    """Print milliseconds, and how many times as long reading audio takes."""
    print(f"{title:<44} {'ms':>10} {'times':>8}")
    for name, value in times.items():
        print(f"  {name:<42} {value / share:10.1f} {times['audio'] / value:8.1f}")


def compare(sources: dict[str, tuple[FeatureCache, bool]], runs: int) -> None:
    keys = sorted(sources["audio"][0].keys())
    labels = [key.hex() for key in keys]
    sets = {name: WindowSet(cache, keys, labels, labels, preload) for name, (cache, preload) in sources.items()}

    def read(cache: FeatureCache) -> None:
        for key in keys:
            _ = [values.astype(np.float32) for values in cache.read(key).values()]

    def draw(windows: WindowSet) -> None:
        for _ in windows.epoch(64, 2, FRAMES, AugmentSettings(), 0, 0):
            pass

    def learn(windows: WindowSet) -> None:
        torch.manual_seed(0)
        network = ResonanceNetwork(("timbre", "harmony", "rhythm"))
        train(network, windows, RECIPE, AugmentSettings(), device="cpu", standardized=True)

    print(f"{len(keys)} songs of {SPEC.decoding.windows} windows")
    songs = {name: partial(read, cache) for name, (cache, preload) in sources.items() if not preload}
    print_times("features of a song", median_times(songs, 1), len(keys))
    for title, work in (("batches of an epoch, 2 views a song", draw), ("an epoch of training", learn)):
        print_times(title, median_times({name: partial(work, windows) for name, windows in sets.items()}, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what cached features are worth.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        audio = UncachedFeatures(options.files or list(write_songs(Path(folder))))
        with closing(SqliteCache(Path(folder), SPEC)) as disk:
            memory = RamCache(SPEC)
            for key in audio.keys():  # noqa: SIM118 - a cache is no dictionary
                features = audio.read(key)
                disk.put(key, features)
                memory.put(key, features)
            sources: dict[str, tuple[FeatureCache, bool]] = {
                "audio": (audio, False),
                "SQLite": (disk, False),
                "SQLite, preloaded": (disk, True),
                "RAM": (memory, False),
            }
            compare(sources, options.runs)


if __name__ == "__main__":
    main()
