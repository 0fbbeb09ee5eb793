"""Train the best trials of a search in full, and keep the winner in runs/best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.console import positive, print_line
from resonance_engine.errors import printable
from resonance_engine.training.commands.common import add_options, config_of
from resonance_engine.training.commands.progress import load_music, print_now
from resonance_engine.training.commands.search import add_runs_option

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "beets", "processes", "device")
    parser.add_argument("--topn", type=positive, default=5, metavar="N", help="how many trials of the search (5)")
    add_runs_option(parser)


def run(options: argparse.Namespace) -> None:
    from resonance_engine.training.learning.device import select_device
    from resonance_engine.training.tuning.refine import format_table, refine
    from resonance_engine.training.tuning.runs import Runs

    config = config_of(options)
    select_device(options.device)  # before an hour of listening
    runs = Runs(options.runs_dir)
    with load_music(config, options) as material:
        outcomes = refine(material, config, runs, options.topn, options.device, print_now)
    if not outcomes:
        return
    for line in format_table(outcomes):
        print_line(line)
    print_line(f"{printable(runs.checkpoint)}: {outcomes[0].name}, model {outcomes[0].model}; go on with: evaluate")
