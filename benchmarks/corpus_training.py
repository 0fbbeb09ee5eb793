"""Train the three-modality network on folds of the soundtrack corpus, for the learning curve and the fusion ablation.

Every layer is trained from scratch on four folds of soundtracks; what it was trained on is never what it is tested on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.audio.windows import read_tags
from resonance_engine.encoder.manifest import Manifest
from resonance_engine.evaluation.tasks import FOLDS, assign_folds
from resonance_engine.features.spec import FRONT_END_VERSION, FeatureSpec
from resonance_engine.network.files import load_network, save_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.config.settings import (
    Config,
    DataSettings,
    EarlyStopping,
    SegmentSettings,
    TrainSettings,
)
from resonance_engine.training.data.cache import SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.precompute import precompute
from resonance_engine.training.data.songs import Song
from resonance_engine.training.learning.loop import train
from training.default_model.corpus import CorpusTrack, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.training.learning.epochs import Epoch

PROCESSES = 2
MODALITIES = ("timbre", "harmony", "rhythm")
RECIPE = Config(
    # Twice the windows of inference: other cuts of the same songs.
    data=DataSettings(segment=SegmentSettings(segments_per_song=8)),
    train=TrainSettings(
        use_amp=False,
        lr=1e-3,
        epochs=30,
        warmup_epochs=3,
        batch_identities=64,
        views_per_song=2,
        temperature=0.1,
        early_stopping=EarlyStopping(enabled=False),
    ),
)


@dataclass(frozen=True)
class SoundtrackCorpus:
    """The decodable tracks of the corpus, with their windows for training (eight) and for testing (four)."""

    directory: Path
    tracks: list[CorpusTrack]
    training: WindowSet
    testing: WindowSet

    @cached_property
    def soundtracks(self) -> list[str]:
        return [track.soundtrack for track in self.tracks]

    @cached_property
    def fold(self) -> NDArray[np.intp]:
        """The fold of each track, 1 to 5."""
        return assign_folds(self.soundtracks) + 1

    @cached_property
    def songs(self) -> list[Song]:
        """The tracks with their tags, the soundtrack as the album."""
        songs = []
        for track in self.tracks:
            path = self.directory / track.path
            known = read_tags(path)
            folder = self.directory / "music" / track.soundtrack / path.name
            songs.append(Song(folder, known.title, known.artist, track.soundtrack, "", known.genre))
        return songs


def load_corpus(directory: Path) -> SoundtrackCorpus:
    """Load the corpus with its features, computed where they are not cached yet."""
    tracks = read_manifest(directory / "manifest.tsv")
    caches = [SqliteCache(directory / "features", spec) for spec in (RECIPE.spec, FeatureSpec())]
    paths = [directory / track.path for track in tracks]
    results = [list(precompute(paths, cache, cache.spec, PROCESSES)) for cache in caches]
    decodable: list[CorpusTrack] = []
    keys: list[bytes] = []
    for track, *outcomes in zip(tracks, *results, strict=True):
        errors = [outcome.error for outcome in outcomes if outcome.error]
        if errors:
            print(f"left out: {errors[0]}")
            continue
        decodable.append(track)
        keys.append(outcomes[0].key)
    identities = [track.path for track in decodable]
    groups = [track.soundtrack for track in decodable]
    return SoundtrackCorpus(directory, decodable, *(WindowSet(cache, keys, identities, groups) for cache in caches))


def fold_network(corpus: SoundtrackCorpus, number: int, fusion: str = "gated_add") -> ResonanceNetwork:
    """Load the network trained on the other folds than this one (1 to 5); train and save it where there is none yet."""
    variant = "" if fusion == "gated_add" else f"-{fusion}"
    path = results_folder(corpus.directory) / f"fold-{number}{variant}.safetensors"
    if not path.exists():
        title = f"fold {number}{variant}"
        torch.manual_seed(RECIPE.train.seed)
        windows = corpus.training.subset(np.flatnonzero(corpus.fold != number))

        def report(epoch: Epoch) -> None:
            print(
                f"{title} epoch {epoch.number}: loss {epoch.loss:.3f}, gate entropy {epoch.gate_entropy:.3f}",
                flush=True,
            )

        network = ResonanceNetwork(MODALITIES, fusion)
        trained = train(network, windows, RECIPE.train, RECIPE.augment, device="cpu", report=report).network
        save_network(trained, Manifest(title, "1", "MIT", FeatureSpec(), FRONT_END_VERSION, fusion=fusion), path)
    return load_network(path)[0]


def results_folder(directory: Path) -> Path:
    """Return the folder of trained networks and results, created if it is missing."""
    folder = directory / "learning-curve"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def parse_options(description: str) -> argparse.Namespace:
    """Parse the command line of a benchmark on the corpus: the folder, and which folds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    folds: Sequence[int] = range(1, FOLDS + 1)
    parser.add_argument("--folds", type=int, nargs="+", choices=folds, default=folds)
    return parser.parse_args()
