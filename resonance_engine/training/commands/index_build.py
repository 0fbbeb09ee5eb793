"""Make a catalog of the music under data.root, as `resonance index` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.commands import BEST, configure_index, run_index
from resonance_engine.errors import ResonanceError
from resonance_engine.training.commands.common import add_options, config_of

if TYPE_CHECKING:
    import argparse

CATALOG = Path("catalog")


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, "config", "set", "cache-dir")
    parser.add_argument("--out-dir", type=Path, default=CATALOG, metavar="DIR", help=f"the catalog ({CATALOG})")
    configure_index(parser)
    parser.set_defaults(load=BEST)
    parser.epilog = "The files are listened to by themselves: a catalog needs their content keys, not cached features."


def run(options: argparse.Namespace) -> None:
    root = config_of(options).data.root
    if not root:
        raise ResonanceError("The settings name no folder of music; name one with --set data.root=FOLDER.")
    from resonance_engine.files import expand_home

    options.folder, options.out = expand_home(root), options.out_dir
    run_index(options)
