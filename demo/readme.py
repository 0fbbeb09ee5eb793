"""The README's examples, run in the demo's library: `python -m demo.readme` writes their outputs and pictures anew.

With `--check` nothing is written, and what differs is printed.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from demo.home import DemoBeets, DemoError, claim_folder
from demo.pictures import draw_facets, draw_terminal, parse_bars
from demo.run import import_library
from demo.transcript import Example, count_words, differences, parse_examples, update_examples

ROOT = Path(__file__).parents[1]
MOST_WORDS = 500


def run_examples(markdown: str, work: Path) -> dict[str, list[str]]:
    """Return what each example of a document prints in the demo's library, fresh, in the claimed folder."""
    beets = import_library(work, None)
    folder = work / "readme"  # of the files that examples write
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    commands = [example.command for example in parse_examples(markdown) if example.is_beet]
    return {command: run_example(beets, command, folder) for command in commands}


def run_example(beets: DemoBeets, command: str, folder: Path) -> list[str]:
    """Return the lines that a command of beets prints, without empty ones."""
    print(f"$ {command}", flush=True)
    _, *arguments = shlex.split(command, comments=True)
    return [line.rstrip() for line in beets.output(arguments, folder) if line.strip()]


def draw_pictures(markdown: str) -> dict[str, str]:
    """Return the README's pictures by their paths: they show what its examples print."""
    examples = [example for example in parse_examples(markdown) if example.is_beet]
    similar = next(example for example in examples if example.command.startswith("beet similar "))
    path = next(example for example in examples if " --to " in example.command)
    explained = next(example for example in examples if "--explain" in example.command)
    return {
        "docs/pictures/session.svg": draw_terminal("beet", [similar, path]),
        "docs/pictures/facets.svg": draw_facets(facets_title(explained), parse_bars(explained.output)),
    }


def facets_title(example: Example) -> str:
    """Such as "What sounds like Acoustic Guitar 01, and why"."""
    _, _, query, *_ = shlex.split(example.command)
    return f"What sounds like {query.partition(':')[2] or query}, and why"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.readme", description="Make the README's outputs anew.")
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--work", type=Path, metavar="DIR", default=ROOT / ".demo", help="made by the demo")
    options = parser.parse_args(arguments)
    path = ROOT / "README.md"
    documented = path.read_text(encoding="utf-8")
    try:
        outputs = run_examples(documented, claim_folder(options.work.resolve()))
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    actual = update_examples(documented, outputs.__getitem__)
    changes = list(differences(documented, actual))
    print("\n".join(changes) or "The README's outputs are what its commands print.")
    if not options.check:
        path.write_text(actual, encoding="utf-8")
        for name, picture in draw_pictures(actual).items():
            (ROOT / name).parent.mkdir(exist_ok=True)
            (ROOT / name).write_text(picture, encoding="utf-8")
    words = count_words(documented)
    print(f"{words} words of prose, {MOST_WORDS} at most.")
    return 1 if words > MOST_WORDS or (options.check and changes) else 0


if __name__ == "__main__":
    sys.exit(main())
