"""Search for settings (--mode search) or train with the best of them (--mode refine): other names of those commands."""

from __future__ import annotations

import argparse

MODES = ("search", "refine")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=MODES, default="refine", help="which of the two (refine)")
    parser.epilog = "All other options are those of `search` and `refine`; ask them with --help."


def replace_by_mode(arguments: list[str]) -> list[str]:
    """Return `train --mode search ...` as `search ...`; help is left to `train` itself."""
    if arguments[:1] != ["train"] or set(arguments) & {"-h", "--help"}:
        return arguments
    parser = argparse.ArgumentParser(prog="resonance train", add_help=False, allow_abbrev=False)
    configure(parser)
    options, rest = parser.parse_known_args(arguments[1:])
    return [options.mode, *rest]
