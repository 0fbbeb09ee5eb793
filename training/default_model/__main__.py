"""Make the model that Resonance ships, and the models of its five folds, from the soundtrack corpus.

    python -m training.default_model.corpus DIRECTORY
    python -m training.default_model DIRECTORY

Features are computed once and kept in DIRECTORY/features, the pretrained trunk in DIRECTORY/pretrained. Each fold's
model, made of the other folds' soundtracks, goes to DIRECTORY/folds, where `python -m benchmarks.quality` measures
them; the model made of everything goes to the package. Each has an eight-bit variant beside it, in a folder whose name
ends in -int8. About a quarter of an hour on two cores, most of it listening.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import ResonanceError
from resonance_engine.evaluation.folds import FOLDS, assign_folds
from resonance_engine.evaluation.tasks import named
from resonance_engine.training.data.cache import SqliteCache
from resonance_engine.training.data.dataset import WindowSet, number_labels
from resonance_engine.training.data.precompute import precompute
from training.default_model.copies import copies, in_step
from training.default_model.corpus import CorpusTrack, read_manifest
from training.default_model.making import (
    TrainingMaterial,
    made,
    semantic_activations,
    untrained,
    written,
    written_small,
)
from training.default_model.pretrained import trunk_weights
from training.default_model.recipe import RECIPE, SPEC

if TYPE_CHECKING:
    from resonance_engine.features.spec import FeatureSpec

PROCESSES = 2
MODELS = Path(__file__).parent.parent.parent / "resonance_engine" / "models"


def listened(directory: Path, spec: FeatureSpec) -> tuple[list[CorpusTrack], WindowSet]:
    """The corpus' tracks that can be read, and their windows grouped by soundtrack."""
    cache = SqliteCache(directory / "features", spec)
    tracks = read_manifest(directory / "manifest.tsv")
    keys = measured(cache, [directory / track.path for track in tracks])
    kept = [track for track, key in zip(tracks, keys, strict=True) if key]
    return kept, grouped(cache, [key for key in keys if key], kept)


def encoded(directory: Path, tracks: list[CorpusTrack], windows: WindowSet) -> WindowSet:
    """The windows of the same tracks after a lossy encoder had them."""
    cache, paths = SqliteCache(directory / "features", SPEC), [directory / track.path for track in tracks]
    own = measured(cache, paths)
    made = measured(cache, copies(directory / "mp3-64", paths, own, PROCESSES))
    keys = [copy or key for key, copy in zip(own, made, strict=True)]
    return grouped(cache, in_step(windows.first, own, grouped(cache, keys, tracks).first, keys), tracks)


def measured(cache: SqliteCache, paths: list[Path]) -> list[bytes]:
    """The content keys of files whose features are in the cache now; an empty one for a file that cannot be read."""
    found = []
    for one in precompute(paths, cache, cache.spec, PROCESSES):
        if one.error:
            print(f"left out: {one.error}")
        found.append(b"" if one.error else one.key)
    return found


def grouped(cache: SqliteCache, keys: list[bytes], tracks: list[CorpusTrack]) -> WindowSet:
    return WindowSet(cache, keys, [track.path for track in tracks], [track.soundtrack for track in tracks])


def small(folder: Path) -> Path:
    """Where the eight-bit variants of a folder's models are."""
    return folder.with_name(f"{folder.name}-int8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.default_model", description="Make the shipped model.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--out", type=Path, default=MODELS / "default", help="folder for the model (the package's own)")
    parser.add_argument("--folds", type=Path, help="folder for the folds' models (the corpus' own)")
    parser.add_argument("--skip-folds", action="store_true", help="only make the final model")
    options = parser.parse_args()
    try:
        make(options.corpus, options.out, None if options.skip_folds else options.folds or options.corpus / "folds")
    except (ResonanceError, OSError, ValueError) as error:
        sys.exit(str(error))


def make(corpus: Path, out: Path, folds: Path | None) -> None:
    """Make the models of the folds, where they are wanted, and the model of everything."""
    tracks, windows = listened(corpus, SPEC)
    trunk = trunk_weights(corpus / "pretrained")
    material, copied = (
        TrainingMaterial(each, semantic_activations(trunk, each))
        for each in (windows, encoded(corpus, tracks, windows))
    )
    artists = number_labels([named(track.artist) or track.path for track in tracks])
    soundtracks = [track.soundtrack for track in tracks]
    print(f"{len(tracks)} tracks of {len(set(soundtracks))} soundtracks", flush=True)
    if folds is not None:
        written(untrained(trunk, RECIPE.seed), folds / "untrained")
        fold = assign_folds(soundtracks)
        for number in range(FOLDS):
            songs = np.flatnonzero(fold != number)
            others = material.subset(songs)
            name = f"fold-{number + 1}"
            written(made(trunk, others, artists[songs], RECIPE, copied.subset(songs)), folds / name)
            written_small(folds / name / "model.onnx", small(folds) / name, others.windows)
    written(made(trunk, material, artists, RECIPE, copied), out)
    written_small(out / "model.onnx", small(out), windows)


if __name__ == "__main__":
    main()
