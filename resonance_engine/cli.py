"""`resonance`: index a folder of music, query it, embed files, train on it. The plugin's engine, without beets."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine import __version__
from resonance_engine.commands import (
    configure_index,
    configure_model,
    configure_query,
    run_embed,
    run_index,
    run_query,
)
from resonance_engine.console import attempted, use_dashes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line, with the options of one verb or, without it, of all.

    Verbs, too, may be written with dashes or underscores.
    """
    parser = argparse.ArgumentParser(prog="resonance", description="Find music that sounds alike, offline.")
    parser.add_argument("--version", action="version", version=f"resonance {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in [verb] if verb in VERBS else VERBS:
        VERBS[name](verbs, name)
    return parser


def add_index(verbs: Verbs, name: str) -> None:
    parser = verbs.add_parser(
        name, help="listen to a folder of music and make a catalog of it", epilog="resonance index ~/Music --out cat"
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
        name, help="write the embeddings of files to a numpy archive", epilog="resonance embed *.mp3 --out e.npz"
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    configure_model(parser)
    parser.set_defaults(run=run_embed)


def add_training(verbs: Verbs, name: str) -> None:
    """Add a verb of training, whose help is its module's docstring."""
    from resonance_engine.training.commands.common import explain_missing_extra

    underscored = name.replace("-", "_")
    module = import_module(f"resonance_engine.training.commands.{underscored}")
    summary = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    parser = verbs.add_parser(
        name,
        aliases=[underscored] if underscored != name else [],
        help=summary[:1].lower() + summary[1:],
        description=module.__doc__,
    )
    module.configure(parser)
    parser.set_defaults(run=explain_missing_extra(module.run))


def add_train(verbs: Verbs, name: str) -> None:
    from resonance_engine.training.commands import train

    train.configure(verbs.add_parser(name, help="search or refine, by --mode", description=train.__doc__))


VERBS: dict[str, Callable[[Verbs, str], None]] = {
    "index": add_index,
    "query": add_query,
    "embed": add_embed,
    **dict.fromkeys(("precompute", "search", "refine", "evaluate", "export", "onnx-eval"), add_training),
    "train": add_train,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = use_dashes(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["train"]:
        from resonance_engine.training.commands.train import replace_by_mode

        given = replace_by_mode(given)
    options = build_parser(given[0].replace("_", "-") if given else None).parse_args(given)
    return attempted(options.run, options)


if __name__ == "__main__":
    sys.exit(main())
