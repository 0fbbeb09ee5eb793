"""Render pieces whose genre is known, and measure what is suggested for them.

    pip install music21==10.5.1
    python -m benchmarks.genres scores FOLDER [--pieces N]
    python -m benchmarks.genres build FOLDER CORPUS [--pieces N]
    BEETSDIR=FOLDER beet resonance analyze
    python -m benchmarks.genres report FOLDER

`scores` needs music21, `build` FFmpeg and fluidsynth, and CORPUS, the folder of `training.default_model.corpus`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.genres.build import build
from benchmarks.genres.report import load_tracks_of, report
from benchmarks.genres.scores import write_scores
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECES = 15  # of a genre, five by each soundfont


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    commands = {verb: verbs.add_parser(verb) for verb in ("scores", "build", "report")}
    for verb, command in commands.items():
        command.add_argument("folder", type=Path)
        if verb != "report":
            command.add_argument("--pieces", type=int, default=PIECES, help="at most so many of a genre")
    commands["build"].add_argument("corpus", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.verb == "scores":
            write_scores(options.folder / "scores", options.pieces)
        elif options.verb == "build":
            sys.stdout.write(f"{build(options.corpus, options.folder, options.pieces)} tracks\n")
        else:
            sys.stdout.write("\n".join(report(load_tracks_of(options.folder / "library.db"))) + "\n")
    except (ResonanceError, ModuleNotFoundError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
