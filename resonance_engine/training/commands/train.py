"""Search for settings (--mode search) or train with the best of them (--mode refine): other names of those commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MODES = ("search", "refine")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=MODES, default="refine", help="which of the two (refine)")
    parser.epilog = "All other options are those of `search` and `refine`; ask them with --help."


def by_mode(arguments: Sequence[str]) -> list[str]:
    """The same command line with `train --mode search ...` written as `search ...`; help is left to `train` itself."""
    if not arguments or arguments[0] != "train" or set(arguments) & {"-h", "--help"}:
        return list(arguments)
    parser = argparse.ArgumentParser(prog="resonance train", add_help=False, allow_abbrev=False)
    configure(parser)
    options, rest = parser.parse_known_args(arguments[1:])
    return [options.mode, *rest]
