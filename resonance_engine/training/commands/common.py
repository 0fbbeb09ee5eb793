"""Shared parts of the training commands: options, settings, music, models, progress.

Neither this module nor a command's `configure` loads more than the standard library; `run` imports what it needs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonance_engine.commands import BEST, check_trained
from resonance_engine.console import complain, positive, print_line, progress_bar

if TYPE_CHECKING:
    import argparse

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.precompute import Precomputed
    from resonance_engine.training.data.songs import Source
    from resonance_engine.training.data.training_data import TrainingData

CONFIG = Path("config") / "base.yaml"
CACHE = Path("cache") / "features"
MOST_PROCESSES = 4  # more than the disk feeds

OPTIONS: dict[str, dict[str, Any]] = {
    "--config": {"type": Path, "default": CONFIG, "metavar": "FILE", "help": f"settings ({CONFIG})"},
    "--set": {
        "action": "append",
        "default": [],
        "metavar": "KEY=VALUE",
        "help": "another value for one setting, such as train.lr=1e-4; may be repeated",
    },
    "--cache-dir": {"type": Path, "default": CACHE, "metavar": "DIR", "help": f"where features are kept ({CACHE})"},
    "--load": {"type": Path, "default": BEST, "metavar": "MODEL", "help": f"folder of a run, or a model file ({BEST})"},
    "--device": {"choices": ("auto", "cpu", "cuda", "mps"), "default": "auto", "help": "what computes (auto)"},
    "--beets": {"nargs": "+", "metavar": ("LIBRARY", "QUERY"), "help": "take the songs of a beets library that match"},
    "--processes": {
        "type": positive,
        "metavar": "N",
        "help": "processes that compute features (one per core, at most 4)",
    },
}


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options that several commands have: config, set, cache-dir, load, device, beets, processes."""
    for name in names:
        parser.add_argument(f"--{name}", **OPTIONS[f"--{name}"])


def config_of(options: argparse.Namespace) -> Config:
    """Read the settings that --config and --set name."""
    from resonance_engine.training.config.config_file import read_config

    return read_config(options.config, options.set)


def library_of(options: argparse.Namespace) -> Source | None:
    """Open the beets library that --beets names, or None without it."""
    if not options.beets:
        return None
    from resonance_engine.training.data.songs import open_library

    location, *query = options.beets
    return open_library("beets", Path(location), query)


def find_trained_model(load: Path, weights: bool = False) -> Path:
    """Find the model file that --load names; of a folder with weights and their export, the weights.

    With `weights` the file is one that PyTorch can go on from. Raises ModelError where there is none.
    """
    from resonance_engine.encoder.model_files import find_model_file

    check_trained(load)
    return find_model_file(load, "torch" if weights or load.is_dir() else "auto")


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
        self.bar = progress_bar(None, unit="song", leave=False)
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
