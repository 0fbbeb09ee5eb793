"""Listen to all songs and keep their features in the cache, so that training need not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.console import print_line
from resonance_engine.errors import ConfigError, printable
from resonance_engine.training.commands.common import add_options, config_of, library_of
from resonance_engine.training.commands.progress import FeatureProgress, processes_of

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir", "beets", "processes")


def run(options: argparse.Namespace) -> None:
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
        f"{len(computed):,} songs in {printable(options.cache_dir)}, {new:,} of them new"
        + (f", {same:,} files were the same sound as another" if same else "")
        + (f", {progress.failed:,} failed" if progress.failed else "")
    )
