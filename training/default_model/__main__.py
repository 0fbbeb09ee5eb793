"""Make the model that Resonance ships, and the models of its five folds, from the soundtrack corpus.

    python -m training.default_model.corpus DIRECTORY
    python -m training.default_model.laundering DIRECTORY
    python -m training.default_model DIRECTORY

Features are computed once and kept in DIRECTORY/features, the pretrained trunks in DIRECTORY/pretrained. Each fold's
model, fitted to the other folds' soundtracks, goes to DIRECTORY/folds, where `python -m benchmarks.quality` measures
them; the model fitted to everything goes to the package. Each has an eight-bit variant beside it, in a folder whose
name ends in -int8. About a quarter of an hour on two cores, most of it decoding and analysis.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import ResonanceError
from resonance_engine.evaluation.tasks import FOLDS, assign_folds
from resonance_engine.training.data.cache import SqliteCache
from resonance_engine.training.data.dataset import WindowSet, number_labels
from resonance_engine.training.data.precompute import precompute
from training.default_model.corpus import CorpusTrack, read_manifest
from training.default_model.fitting import (
    TrainingWindows,
    describe_model,
    fit_network,
    initial_network,
    save_model,
    save_quantized,
    trunk_activations,
)
from training.default_model.laundering import MP3_TABLE, TABLE, read_copies
from training.default_model.pretrained import load_trunks
from training.default_model.recipe import RECIPE, SPEC
from training.default_model.transcoding import matching_keys

if TYPE_CHECKING:
    from resonance_engine.features.spec import FeatureSpec

PROCESSES = 2
MODELS = Path(__file__).parent.parent.parent / "resonance_engine" / "models"


def load_corpus(directory: Path, spec: FeatureSpec) -> tuple[list[CorpusTrack], WindowSet]:
    """Load the decodable tracks of the corpus, and their windows grouped by soundtrack."""
    cache = SqliteCache(directory / "features", spec)
    tracks = read_manifest(directory / "manifest.tsv")
    keys = cache_features(cache, [directory / track.path for track in tracks])
    decodable = [track for track, key in zip(tracks, keys, strict=True) if key]
    return decodable, window_set(cache, [key for key in keys if key], decodable)


def load_copies(directory: Path, tracks: list[CorpusTrack], windows: WindowSet, table: str) -> WindowSet:
    """Load the windows of the same tracks' copies in a table; a track without one, or of other windows, is its own."""
    cache = SqliteCache(directory / "features", SPEC)
    copies = {copy.source: directory / copy.path for copy in read_copies(directory, table)}
    paths = [directory / track.path for track in tracks]
    own = cache_features(cache, paths)
    other = cache_features(cache, [copies.get(track.path, path) for track, path in zip(tracks, paths, strict=True)])
    keys = [copy or key for key, copy in zip(own, other, strict=True)]
    return window_set(cache, matching_keys(windows.first, own, window_set(cache, keys, tracks).first, keys), tracks)


def cache_features(cache: SqliteCache, paths: list[Path]) -> list[bytes]:
    """Compute and cache the features of files; return content keys, an empty one where a file cannot be read."""
    keys = []
    for result in precompute(paths, cache, cache.spec, PROCESSES):
        if result.error:
            print(f"left out: {result.error}")
        keys.append(b"" if result.error else result.key)
    return keys


def window_set(cache: SqliteCache, keys: list[bytes], tracks: list[CorpusTrack]) -> WindowSet:
    return WindowSet(cache, keys, [track.path for track in tracks], [track.soundtrack for track in tracks])


def int8_folder(folder: Path) -> Path:
    """Return the folder of the eight-bit variants of a folder's models."""
    return folder.with_name(f"{folder.name}-int8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.default_model", description="Make the shipped model.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--out", type=Path, default=MODELS / "default", help="folder for the model (the package's own)")
    parser.add_argument("--folds", type=Path, help="folder for the folds' models (the corpus' own)")
    parser.add_argument("--skip-folds", action="store_true", help="only make the final model")
    options = parser.parse_args()
    folds = None if options.skip_folds else options.folds or options.corpus / "folds"
    try:
        make_models(options.corpus, options.out, folds)
    except (ResonanceError, OSError, ValueError) as error:
        sys.exit(str(error))


def make_models(corpus: Path, out: Path, folds: Path | None) -> None:
    """Fit and save the models of the folds, unless `folds` is None, and the model of everything."""
    tracks, windows = load_corpus(corpus, SPEC)
    trunks = load_trunks(corpus / "pretrained")
    manifest = describe_model(trunks)
    material, *copies = (
        TrainingWindows(part, trunk_activations(trunks, part))
        for part in (windows, *(load_copies(corpus, tracks, windows, table) for table in (TABLE, MP3_TABLE)))
    )
    artists = number_labels([track.artist_label or track.path for track in tracks])
    soundtracks = [track.soundtrack for track in tracks]
    print(f"{len(tracks)} tracks of {len(set(soundtracks))} soundtracks", flush=True)
    if folds is not None:
        save_model(initial_network(trunks, RECIPE.seed), manifest, folds / "untrained")
        fold = assign_folds(soundtracks)
        for number in range(FOLDS):
            songs = np.flatnonzero(fold != number)
            others = material.subset(songs)
            name = f"fold-{number + 1}"
            altered = [each.subset(songs) for each in copies]
            network = fit_network(trunks, others, artists[songs], RECIPE, altered)
            save_model(network, manifest, folds / name)
            save_quantized(folds / name / "model.onnx", int8_folder(folds) / name, others.windows)
    save_model(fit_network(trunks, material, artists, RECIPE, copies), manifest, out)
    save_quantized(out / "model.onnx", int8_folder(out), windows)


if __name__ == "__main__":
    main()
