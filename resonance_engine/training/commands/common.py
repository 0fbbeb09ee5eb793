"""Shared parts of the training commands: options, settings, music, models, and running them.

Neither this module nor a command's `configure` loads more than the standard library; `run` imports what it needs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonance_engine.commands import BEST, check_trained
from resonance_engine.console import attempted, positive, use_dashes
from resonance_engine.errors import ModelError, ResonanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.songs import Source

CONFIG = Path("config") / "base.yaml"
CACHE = Path("cache") / "features"
EXTRA = ("matplotlib", "onnx", "onnxscript", "optuna", "pydantic", "safetensors", "torch", "yaml")

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

    With `weights` nothing else is accepted. Raises ModelError where there is none.
    """
    from resonance_engine.encoder.model_files import find_model_file

    check_trained(load)
    if weights or not load.is_dir():
        return find_model_file(load, "torch" if weights else "auto")
    try:
        return find_model_file(load, "torch")
    except ModelError:
        return find_model_file(load)


def explain_missing_extra(run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """Wrap a command to report what to install where a package of the training extra is missing."""

    def command(options: argparse.Namespace) -> None:
        try:
            run(options)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in EXTRA:
                raise
            raise ResonanceError(
                f"This needs the package {error.name}, which is not installed: pip install 'beets-resonance[train]'."
            ) from error

    return command


def run_script(module: ModuleType, arguments: Sequence[str] | None = None) -> int:
    """Run a command as a script, as `python -m training.NAME` does; returns the exit status."""
    name = module.__name__.rpartition(".")[2]
    parser = argparse.ArgumentParser(prog=f"python -m training.{name}", description=module.__doc__)
    module.configure(parser)
    given = use_dashes(sys.argv[1:] if arguments is None else arguments)
    return attempted(explain_missing_extra(module.run), parser.parse_args(given))
