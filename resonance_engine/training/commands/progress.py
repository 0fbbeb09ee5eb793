"""Load the music that a command's options name, with a progress bar and a line for every file that fails."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from resonance_engine.console import complain, print_line
from resonance_engine.training.commands.common import library_of

if TYPE_CHECKING:
    import argparse

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.precompute import Precomputed
    from resonance_engine.training.data.training_data import TrainingData

MOST_PROCESSES = 4  # more than the disk feeds


def load_music(config: Config, options: argparse.Namespace) -> TrainingData:
    """Load the songs of --beets or of the settings, with their features in the cache of --cache-dir."""
    from resonance_engine.training.data.training_data import load_training_data

    with FeatureProgress() as progress:
        return load_training_data(config, options.cache_dir, library_of(options), processes_of(options), progress)


def processes_of(options: argparse.Namespace) -> int:
    return int(options.processes or min(os.cpu_count() or 1, MOST_PROCESSES))


def print_now(text: str) -> None:
    """Print a line and flush it, for output of a long training that goes to a file."""
    print_line(text)
    sys.stdout.flush()


class FeatureProgress:
    """A progress bar over files that counts those that failed."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self.bar = tqdm(unit=" songs", disable=None, leave=False)
        self.failed = 0

    def __call__(self, result: Precomputed, total: int) -> None:
        self.bar.total = total
        self.bar.update(1)
        if result.error is not None:
            self.failed += 1
            self.bar.clear()
            complain(result.error)

    def __enter__(self) -> FeatureProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
