"""Which fusion is best: gated sum, gated concatenation or cross attention, on soundtracks that none was trained on.

    python -m benchmarks.fusion_ablation DIRECTORY [--folds 1 2 3 4 5]

The shipped recipe with each mode, trained on four folds of soundtracks and tested on the fifth. Models are kept in
DIRECTORY/learning-curve, where those of `benchmarks.learning_curve` serve as the gated sum; the table is of the folds
that are named. About an hour on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.corpus_training import FOLDS, MODALITIES, RECIPE, Corpus, fold_of, load_corpus, trained
from benchmarks.learning_curve import model_of, songs_of
from resonance_engine.encoder.manifest import FUSION_MODES, Manifest
from resonance_engine.evaluation.measure import mean, query_scores
from resonance_engine.evaluation.retrieval import bootstrap_interval
from resonance_engine.evaluation.segments import segment_recall
from resonance_engine.evaluation.tasks import UNFILTERED, tasks
from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.features.spec import FeatureSpec
from resonance_engine.network.files import load_network, save_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.results.embed import embeddings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.training.data.songs import Song

    Values = dict[str, NDArray[np.float64]]

MEASURES = ("R@1", "mAP", "mAP, artist left out", "segment recall")


def fused(mode: str, corpus: Corpus, others: NDArray[np.intp], number: int, folder: Path) -> ResonanceNetwork:
    """The recipe with this fusion trained on these tracks, made if it is not there yet."""
    if mode == "gated_add":
        return model_of(corpus, others, number, folder / f"fold-{number}.safetensors")
    path = folder / f"fold-{number}-{mode}.safetensors"
    if not path.exists():
        torch.manual_seed(RECIPE.train.seed)
        network = ResonanceNetwork(MODALITIES, mode)
        trained(network, corpus.training.subset(others), RECIPE, f"fold {number} {mode}")
        save_network(network, Manifest(mode, "1", "MIT", FeatureSpec(), FRONT_END_VERSION, fusion=mode), path)
    return load_network(path)[0]


def measured(network: ResonanceNetwork, corpus: Corpus, songs: Sequence[Song], own: NDArray[np.intp]) -> Values:
    """Every measure of each track of a fold (or window, of segment recall), and its mean gates."""
    windows = corpus.testing.subset(own)
    found = embeddings(network, windows)
    questions = tasks([songs[int(track)] for track in own])
    whole = query_scores(found.tracks, questions["album" + UNFILTERED])
    filtered = query_scores(found.tracks, questions["album"])
    values = (whole["recall@1"], whole["map"], filtered["map"], segment_recall(found.windows, windows.song))
    return {**dict(zip(MEASURES, values, strict=True)), "gates": found.gates.astype(np.float64)}


def table(values: dict[str, Values], soundtracks: Sequence[str]) -> list[str]:
    """A row for each mode; differences to the gated sum with 95 % intervals over soundtracks where one exists."""
    lines = []
    for mode, found in values.items():
        parts = [f"{name} {mean(found[name]):.3f}" for name in MEASURES]
        gains = found["mAP"] - values[FUSION_MODES[0]]["mAP"]
        low, high = bootstrap_interval(gains, list(soundtracks), np.random.default_rng(0))
        gates = ", ".join(
            f"{name} {gate:.2f}" for name, gate in zip(MODALITIES, found["gates"].mean(axis=0), strict=True)
        )
        lines.append(f"{mode}: {', '.join(parts)}; mAP {mean(gains):+.3f} ({low:+.3f} to {high:+.3f}); gates {gates}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the three ways to fuse modalities.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--folds", type=int, nargs="+", choices=range(1, FOLDS + 1), default=range(1, FOLDS + 1))
    options = parser.parse_args()
    folder = options.corpus / "learning-curve"
    folder.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(options.corpus)
    songs = songs_of(corpus, options.corpus)
    fold = fold_of(corpus.soundtracks)
    soundtracks: list[str] = []
    parts: dict[str, list[Values]] = {mode: [] for mode in FUSION_MODES}
    for number in options.folds:
        own, others = np.flatnonzero(fold == number - 1), np.flatnonzero(fold != number - 1)
        soundtracks += [corpus.soundtracks[track] for track in own]
        for mode, found in parts.items():
            found.append(measured(fused(mode, corpus, others, number, folder), corpus, songs, own))
    values = {
        mode: {name: np.concatenate([each[name] for each in found]) for name in found[0]}
        for mode, found in parts.items()
    }
    print("\n".join(table(values, soundtracks)))


if __name__ == "__main__":
    main()
