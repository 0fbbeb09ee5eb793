"""Commands that train: precompute, search and refine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import duration, positive, print_line
from resonance_engine.errors import ConfigError, format_count, printable
from resonance_engine.training.commands.common import (
    FeatureProgress,
    add_options,
    config_of,
    library_of,
    load_music,
    print_now,
    processes_of,
)

if TYPE_CHECKING:
    import argparse

RUNS = Path("runs")
SPACE = Path("config") / "search_space.yaml"


def configure_precompute(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "beets", "processes")


def run_precompute(options: argparse.Namespace) -> None:
    """Measure all songs and keep their features in the cache, so that training need not."""
    from resonance_engine.training.data.songs import list_songs
    from resonance_engine.training.data.training_data import KnownFiles, compute_features, open_cache

    config = config_of(options)
    if config.cache.backend == "ram":
        raise ConfigError("With cache.backend ram nothing would be kept; set it to sqlite, or train right away.")
    songs = list_songs(config.data, library_of(options))
    cache = open_cache(config, options.cache_dir)
    try:
        before = len(cache.keys())
        with FeatureProgress() as progress:
            computed = compute_features(
                songs, cache, KnownFiles(options.cache_dir), config, processes_of(options), progress
            )
        new = len(cache.keys()) - before
    finally:
        cache.close()
    same = len(songs) - progress.failed - len(computed)
    print_line(
        f"{format_count(len(computed), 'song')} in {printable(options.cache_dir)}, {new:,} of them new"
        + (f", {format_count(same, 'file')} of the same sound as another" if same else "")
        + (f", {progress.failed:,} failed" if progress.failed else "")
    )


def configure_search(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "beets", "processes", "device")
    parser.add_argument("--space", type=Path, metavar="FILE", help=f"what may be tried ({SPACE})")
    parser.add_argument(
        "--trials", type=positive, default=30, metavar="N", help="how many, all processes together (30)"
    )
    parser.add_argument("--proxy-songs", type=positive, default=400, metavar="N", help="songs of a trial (400)")
    parser.add_argument("--proxy-epochs", type=positive, default=12, metavar="N", help="epochs of a trial (12)")
    parser.add_argument("--minutes", type=duration, metavar="M", help="begin no trial after so many minutes")
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="where processes and machines meet: a file, or a database such as sqlite:///study.db (runs/study.db)",
    )
    add_runs_option(parser)


def add_runs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-dir", type=Path, default=RUNS, metavar="DIR", help=f"where runs are kept ({RUNS})")


def run_search(options: argparse.Namespace) -> None:
    """Try settings in short trainings on a part of the songs, and keep the best in runs/best/hpo.json."""
    from resonance_engine.training.learning.device import select_device
    from resonance_engine.training.tuning.proxy import check_comparable, make_measure
    from resonance_engine.training.tuning.proxy_search import Effort, search
    from resonance_engine.training.tuning.runs import Runs
    from resonance_engine.training.tuning.study import read_space

    config = config_of(options)
    check_comparable(config)
    select_device(options.device)  # one that is not there would fail every trial, and failed trials count
    space = read_space(options.space)
    effort = Effort(options.trials, options.proxy_songs, options.proxy_epochs, options.minutes)
    storage = options.storage
    runs = Runs(options.runs_dir)
    with load_music(config, options) as material:
        findings = search(
            config,
            space,
            effort,
            runs,
            make_measure(material, effort.songs, options.device),
            material.digest,
            storage if storage is None or "://" in storage else Path(storage),
            print_now,
        )
    if not findings.trials:
        print_line("No trial was finished.")
        return
    best = findings.trials[0]
    count = "1 trial" if len(findings.trials) == 1 else f"{len(findings.trials)} trials"
    print_line(f"{count}, best: trial {best.number} with {findings.metric} {best.value:.4f}")
    print_line(f"{printable(runs.hpo)}; go on with: refine")


def configure_refine(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "beets", "processes", "device")
    parser.add_argument("--topn", type=positive, default=5, metavar="N", help="how many trials of the search (5)")
    add_runs_option(parser)


def run_refine(options: argparse.Namespace) -> None:
    """Train the best trials of a search in full, and keep the winner in runs/best."""
    from resonance_engine.training.learning.device import select_device
    from resonance_engine.training.tuning.refine import format_table, refine
    from resonance_engine.training.tuning.runs import Runs

    config = config_of(options)
    select_device(options.device)  # before an hour of analysis
    runs = Runs(options.runs_dir)
    with load_music(config, options) as material:
        outcomes = refine(material, config, runs, options.topn, options.device, print_now)
    if not outcomes:
        return
    for line in format_table(outcomes):
        print_line(line)
    print_line(f"{printable(runs.checkpoint)}: {outcomes[0].name}, model {outcomes[0].model}; go on with: evaluate")
