"""Measure the learning curve: the network untrained, trained on other soundtracks, fine-tuned on a few more.

    python -m training.default_model.corpus DIRECTORY
    python -m benchmarks.learning_curve DIRECTORY [--folds 1 2 3 4 5]

For every fold of soundtracks, the three-modality network is trained on the other four folds. The fold's own soundtracks
are split into two halves: the network is fine-tuned on one half and tested on the other, then the other way round, so
that every soundtrack is tested once. Results are kept in DIRECTORY/learning-curve, where the next call, or another
process, finds them; the table is printed once all folds are there. About half an hour on two cores, two folds side by
side in two processes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.corpus_training import MODALITIES, RECIPE, fold_network, load_corpus, parse_options, results_folder
from resonance_engine.evaluation.metrics import query_scores, segment_recall
from resonance_engine.evaluation.statistics import estimate_mean, mean
from resonance_engine.evaluation.tasks import FOLDS, assign_folds, tasks
from resonance_engine.files import write_bytes
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.finetune import adapt
from resonance_engine.training.results.validation import embed_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.corpus_training import SoundtrackCorpus
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song

MODELS = ("untrained", "trained", "fine-tuned")
SEGMENTS = "segment recall"


def score(network: ResonanceNetwork, windows: WindowSet, songs: Sequence[Song]) -> dict[str, list[float]]:
    """Compute each song's average precision by task, and each window's segment recall."""
    output = embed_windows(network, windows)
    values = {name: query_scores(output.tracks, relevance)["map"].tolist() for name, relevance in tasks(songs).items()}
    return {**values, SEGMENTS: segment_recall(output.windows, windows.song).tolist()}


def run_fold(corpus: SoundtrackCorpus, number: int) -> list[dict[str, Any]]:
    """Score all models on both halves of a fold; a half is read for testing only when all models are trained."""
    own = np.flatnonzero(corpus.fold == number)
    network = fold_network(corpus, number)
    torch.manual_seed(RECIPE.train.seed)
    untrained = ResonanceNetwork(MODALITIES).eval()
    half = assign_folds([corpus.soundtracks[track] for track in own], 2)
    tuned = [adapt(network, corpus.testing.subset(own[half == side])) for side in (0, 1)]
    results = []
    for side in (0, 1):
        tracks = own[half != side]
        windows, songs = corpus.testing.subset(tracks), [corpus.songs[int(track)] for track in tracks]
        models = dict(zip(MODELS, (untrained, network, tuned[side]), strict=True))
        scores = {name: score(model, windows, songs) for name, model in models.items()}
        results.append({"soundtracks": [song.album for song in songs], "windows": windows.song.tolist(), **scores})
    return results


def format_table(parts: Sequence[dict[str, Any]]) -> list[str]:
    """Format means over all tested tracks, and paired differences with 95 % intervals over soundtracks."""
    lines = [f"{'':24}{'queries':>8}" + "".join(f"{name:>12}" for name in MODELS) + "   fine-tuned - trained"]
    for task in parts[0]["trained"]:
        values = {model: np.concatenate([np.array(part[model][task], float) for part in parts]) for model in MODELS}
        groups = [
            part["soundtracks"][track]
            for part in parts
            for track in (part["windows"] if task == SEGMENTS else range(len(part["soundtracks"])))
        ]
        differences = values["fine-tuned"] - values["trained"]
        gain = estimate_mean(differences, groups)
        means = "".join(f"{mean(values[model]):12.3f}" for model in MODELS)
        queries = np.count_nonzero(~np.isnan(differences))
        lines.append(f"{task:24}{queries:8}{means}   {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})")
    return lines


def main() -> None:
    options = parse_options("Measure what training and fine-tuning improve.")
    files = {number: results_folder(options.corpus) / f"halves-{number}.json" for number in range(1, FOLDS + 1)}
    missing = [number for number in options.folds if not files[number].exists()]
    if missing:
        corpus = load_corpus(options.corpus)
        for number in missing:
            write_bytes(files[number], json.dumps(run_fold(corpus, number)).encode())
            print(f"fold {number} done", flush=True)
    if all(path.exists() for path in files.values()):
        print("\n".join(format_table([part for path in files.values() for part in json.loads(path.read_bytes())])))


if __name__ == "__main__":
    main()
