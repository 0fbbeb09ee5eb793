"""The commands of training by name, and running one as a script; a command's help is the docstring of its function."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from resonance_engine.console import guard_output, report_errors, use_dashes
from resonance_engine.errors import TRAINING_EXTRA, ResonanceError
from resonance_engine.training.commands import models, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Configure = Callable[[argparse.ArgumentParser], None]
    Run = Callable[[argparse.Namespace], None]

EXTRA = ("matplotlib", "onnx", "onnxscript", "optuna", "pydantic", "safetensors", "torch", "yaml")

COMMANDS: dict[str, tuple[Configure, Run]] = {
    "precompute": (train.configure_precompute, train.run_precompute),
    "search": (train.configure_search, train.run_search),
    "refine": (train.configure_refine, train.run_refine),
    "evaluate": (models.configure_evaluate, models.run_evaluate),
    "export": (models.configure_export, models.run_export),
    "onnx_eval": (models.configure_onnx_eval, models.run_onnx_eval),
    "index_build": (models.configure_index_build, models.run_index_build),
    "query": (models.configure_catalog_query, models.run_catalog_query),
}


def add_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Add a command's options to a parser that runs it, and reports what to install where a package is missing."""
    configure, run = COMMANDS[name]

    def command(options: argparse.Namespace) -> None:
        try:
            run(options)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in EXTRA:
                raise
            raise ResonanceError(
                f"This needs the package {error.name}, which is not installed: {TRAINING_EXTRA}."
            ) from error

    parser.description = run.__doc__
    configure(parser)
    parser.set_defaults(run=command)


def run_script(name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command as a script, as `python -m training.NAME` does; returns the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{name}")
    add_command(parser, name)

    def run() -> int:
        options = parser.parse_args(use_dashes(sys.argv[1:] if arguments is None else arguments))
        return report_errors(options.run, options)

    return guard_output(run)
