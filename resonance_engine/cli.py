"""`resonance`: index a folder of music, query it, embed files, train on it. The plugin's engine, without beets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine import __version__
from resonance_engine.commands import (
    configure_index,
    configure_model,
    configure_query,
    configure_serve,
    run_embed,
    run_index,
    run_query,
    run_serve,
)
from resonance_engine.console import SentenceParser, guard_output, report_errors, use_dashes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    Verbs = argparse._SubParsersAction[SentenceParser]


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line, with the options of one verb or, without it, of all.

    Verbs, too, may be written with dashes or underscores.
    """
    parser = SentenceParser(prog="resonance", description="Find music that sounds alike, offline.")
    parser.add_argument("--version", action="version", version=f"resonance {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in [verb] if verb in VERBS else VERBS:
        VERBS[name](verbs, name)
    return parser


def add_index(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="analyse a folder of music and make a catalog of it", epilog="resonance index ~/Music --out cat"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with music")
    parser.add_argument("--out", type=Path, required=True, metavar="CATALOG", help="folder for the catalog's files")
    configure_index(parser)
    parser.set_defaults(run=run_index)


def add_query(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="find what sounds like a file", epilog="resonance query --audio song.mp3 --index-dir cat"
    )
    configure_query(parser)
    parser.set_defaults(run=run_query)


def add_embed(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name,
        help="write the embeddings of files to a numpy archive",
        description="Write the embeddings of files, and all else that an analysis stores, to a numpy archive, which "
        "`beet resonance vectors import` takes.",
        epilog="resonance embed *.mp3 --out e.npz",
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="music file")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.npz",
        help="the archive; an existing one is replaced, any other file is not",
    )  # fmt: skip
    parser.add_argument("--passages", action="store_true", help="windows over all of each file, too, for passages")
    configure_model(parser)
    parser.set_defaults(run=run_embed)


def add_serve(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="serve a catalog as a page and an API, for browsers", epilog="resonance serve cat --port 8338"
    )
    configure_serve(parser)
    parser.set_defaults(run=run_serve)


def add_training(verbs: Verbs, name: str) -> None:
    """Add a command of training, whose help is its function's docstring."""
    from resonance_engine.training.commands.registry import COMMANDS, add_command

    underscored = name.replace("-", "_")
    summary = " ".join((COMMANDS[underscored][1].__doc__ or "").split()).rstrip(".")
    aliases = [underscored] if underscored != name else []
    add_command(verbs.add_parser(name, aliases=aliases, help=summary[:1].lower() + summary[1:]), underscored)


def add_train(verbs: Verbs, name: str) -> None:
    description = (
        "Search for settings (--mode search) or train with the best of them (--mode refine): other names of those "
        "commands."
    )
    configure_train(verbs.add_parser(name, help="search or refine, by --mode", description=description))


def configure_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=("search", "refine"), default="refine", help="which of the two (refine)")
    parser.epilog = "All other options are those of `search` and `refine`; ask them with --help."


def replace_by_mode(arguments: list[str]) -> list[str]:
    """Return `train --mode search ...` as `search ...`; help is left to `train` itself."""
    if arguments[:1] != ["train"] or set(arguments) & {"-h", "--help"}:
        return arguments
    parser = SentenceParser(prog="resonance train", add_help=False, allow_abbrev=False)
    configure_train(parser)
    options, rest = parser.parse_known_args(arguments[1:])
    return [options.mode, *rest]


VERBS: dict[str, Callable[[Verbs, str], None]] = {
    "index": add_index,
    "query": add_query,
    "embed": add_embed,
    "serve": add_serve,
    **dict.fromkeys(("precompute", "search", "refine", "evaluate", "export", "onnx-eval"), add_training),
    "train": add_train,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return guard_output(lambda: run_verb(arguments))


def run_verb(arguments: Sequence[str] | None) -> int:
    given = replace_by_mode(use_dashes(sys.argv[1:] if arguments is None else arguments))
    options = build_parser(given[0].replace("_", "-") if given else None).parse_args(given)
    return report_errors(options.run, options)


if __name__ == "__main__":
    sys.exit(main())
