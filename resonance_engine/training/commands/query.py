"""Find what sounds like a file in a catalog, as `resonance query` does, with the trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.commands import BEST, configure_query, run_query
from resonance_engine.training.commands.index_build import CATALOG

if TYPE_CHECKING:
    import argparse

run = run_query


def configure(parser: argparse.ArgumentParser) -> None:
    configure_query(parser, CATALOG)
    parser.set_defaults(load=BEST)
