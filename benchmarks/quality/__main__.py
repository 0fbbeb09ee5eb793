"""Embed the corpus with Resonance and with other systems, and print how good their neighbours are.

    python -m benchmarks.quality CORPUS --models FOLDER --musicnn FOLDER --kept FOLDER

CORPUS is the folder that training.default_model.corpus filled. Each system hears the same files: the same four windows
where it takes samples, else the file. The pools are the tracks of each of five folds by soundtrack; a fold's model was
trained on the other four. musly and bliss need `pip install pymusly bliss-audio`; musicnn needs the folder MSD_musicnn
of its package.
"""

from __future__ import annotations

import os

# Times are of one core; the libraries read these when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality import report, tables
from benchmarks.quality.baselines import Bliss, Lots, Mfcc, Musly
from benchmarks.quality.hearing import heard_by, seconds_of
from benchmarks.quality.musicnn import Musicnn
from benchmarks.quality.resonance import Resonance
from benchmarks.quality.robustness import Altered, spread
from benchmarks.quality.scores import Tracks
from resonance_engine.errors import ResonanceError
from resonance_engine.evaluation.folds import FOLDS, assign_folds
from resonance_engine.evaluation.tasks import named
from resonance_engine.files import write_bytes
from training.default_model.corpus import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.quality.kept import Kept
    from benchmarks.quality.listening import System
    from benchmarks.quality.report import Sections

INT8 = "Resonance, INT8"


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description="How good the neighbours are.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument(
        "--models", type=Path, help="folder of fold-1 to fold-5, and untrained (one model, or one a fold)"
    )
    parser.add_argument("--int8", type=Path, help="the same folds' models of eight bits")
    parser.add_argument("--final", type=Path, help="model that was trained on everything, for altered recordings")
    parser.add_argument("--musicnn", type=Path, help="folder MSD_musicnn of the package musicnn")
    parser.add_argument("--kept", type=Path, help="folder where embeddings stay for the next run")
    parser.add_argument("--fresh", action="store_true", help="embed everything anew")
    parser.add_argument("--limit", type=int, help="only so many tracks, spread over the soundtracks")
    parser.add_argument("--timed", type=int, default=24, help="tracks that all systems are timed on, in turns")
    parser.add_argument("--robust", type=int, default=0, help="tracks that are altered, spread over the soundtracks")
    parser.add_argument("--json", type=Path, help="file for all numbers")
    return parser.parse_args(arguments)


def corpus(directory: Path, limit: int | None) -> Tracks:
    """The corpus in its folds; artists' names are compared without case."""
    rows = read_manifest(directory / "manifest.tsv")
    soundtracks = [each.soundtrack for each in rows]
    fold = assign_folds(soundtracks)
    whole = Tracks(tuple(e.path for e in rows), tuple(soundtracks), tuple(named(e.artist) for e in rows), fold)
    if limit is None:
        return whole
    chosen = set(spread(whole, limit))
    kept = [place for place, path in enumerate(whole.paths) if path in chosen]
    return Tracks(
        tuple(whole.paths[place] for place in kept),
        tuple(whole.soundtracks[place] for place in kept),
        tuple(whole.artists[place] for place in kept),
        fold[kept],
    )


def resonances(chosen: argparse.Namespace, tracks: Tracks) -> list[Resonance]:
    """Our own systems that folders were given for."""
    fold = [int(number) for number in tracks.fold]
    found = []
    for name, label, folder in (("resonance", "Resonance", chosen.models), ("resonance-int8", INT8, chosen.int8)):
        if folder is not None:
            found.append(Resonance(name, label, by_fold(folder), fold))
    start = chosen.models / "untrained" if chosen.models is not None else None
    if start is not None and start.exists():
        # One start for all folds, or one each where it comes from the training tracks.
        each = by_fold(start) if (start / "fold-1").exists() else [start]
        found.append(Resonance("untrained", "Resonance, untrained", each, fold))
    return found


def by_fold(folder: Path) -> list[Path]:
    return [folder / f"fold-{number + 1}" for number in range(FOLDS)]


def others(folder: Path | None) -> list[System]:
    """The systems to compare with whose packages are installed; the missing ones are named."""
    makers: dict[str, Callable[[], System]] = {"random": Lots, "bliss-audio": Bliss, "pymusly": Musly, "librosa": Mfcc}
    if folder is None:
        print("musicnn is left out: give the folder MSD_musicnn of its package with --musicnn.", file=sys.stderr)
    else:
        makers["torch and librosa"] = lambda: Musicnn(folder)
    found = []
    for package, maker in makers.items():
        try:
            found.append(maker())
        except ImportError as error:
            print(f"A system is left out: install {package} to compare with it ({error}).", file=sys.stderr)
        except (OSError, ValueError) as error:
            print(f"musicnn is left out: {folder} holds no checkpoint of it ({error}).", file=sys.stderr)
    return found


def sections(chosen: argparse.Namespace, tracks: Tracks, folder: Path) -> Sections:
    """Everything that was asked for."""
    ours = resonances(chosen, tracks)
    systems: list[System] = [*others(chosen.musicnn), *ours]
    heard = heard_by(systems, chosen.corpus, tracks.paths, folder, chosen.fresh, progress)
    failures(heard)
    scores = report.all_scores(tracks, systems, heard)
    found = report.comparison(tracks, scores, ours[0].label if ours else None)
    for system in ours:
        found |= report.of_resonance(tracks, system, heard[system.name])
    if ours:
        found |= report.of_segments(tracks, ours, heard)
    if chosen.timed:
        seconds = seconds_of(systems, chosen.corpus, tracks.paths, spread(tracks, chosen.timed))
        title = f"CPU seconds of one core a track, mean of {min(chosen.timed, len(tracks.paths))}"
        found[title] = (tables.seconds_table(seconds), seconds)
    return found | guises(chosen, tracks, folder, ours)


def guises(chosen: argparse.Namespace, tracks: Tracks, folder: Path, ours: list[Resonance]) -> Sections:
    """Altered recordings, by the folds' models in their pools and by the final model in the whole corpus."""
    asked = [(system, tracks.pools()) for system in ours if system.name != "untrained"]
    if chosen.final is not None:
        final = Resonance("final", "Final model", [chosen.final], [0] * len(tracks.paths))
        asked.append((final, [np.arange(len(tracks.paths))]))
    found: Sections = {}
    if not chosen.robust:
        return found
    for system, pools in asked:
        altered = Altered(system)
        heard = heard_by([system], chosen.corpus, tracks.paths, folder, False, progress)
        heard |= heard_by(
            [altered], chosen.corpus, tracks.paths, folder, chosen.fresh, progress, spread(tracks, chosen.robust)
        )
        failures({altered.name: heard[altered.name]})
        found |= report.of_guises(tracks, altered, heard, pools)
    return found


def failures(heard: dict[str, Kept]) -> None:
    for name, kept in heard.items():
        for why in kept.failed.values():
            print(f"{name} could not hear {why}", file=sys.stderr)


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def printed(tracks: Tracks, found: Sections) -> str:
    """The report as markdown."""
    sizes = ", ".join(str(len(places)) for places in tracks.pools())
    counts = f"{len(tracks.paths)} tracks of {len(set(tracks.soundtracks))} soundtracks in pools of {sizes}"
    parts = [f"{counts}{tables.MEANS}.", *(f"### {title}\n\n{text}" for title, (text, _) in found.items())]
    return "\n\n".join(parts)


def main() -> int:
    chosen = options()
    try:
        tracks = corpus(chosen.corpus, chosen.limit)
        with tempfile.TemporaryDirectory() as temporary:
            found = sections(chosen, tracks, chosen.kept or Path(temporary))
        print(printed(tracks, found))
        if chosen.json is not None:
            numbers = {title: each for title, (_, each) in found.items()}
            write_bytes(chosen.json, json.dumps(numbers, indent=1, allow_nan=False).encode())
    except (ResonanceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
