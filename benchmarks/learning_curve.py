"""How much the network learns: untrained, trained on other soundtracks, fine-tuned on a few more.

    python -m training.default_model.corpus DIRECTORY
    python -m benchmarks.learning_curve DIRECTORY [--folds 1 2 3 4 5]

For every fold of soundtracks, the shipped recipe is trained on the other four folds. The fold's own soundtracks are
parted in two: the model is fine-tuned on one half and tested on the other, then the other way round, so that every
soundtrack is tested once. A half is read for a test only when all models are made. What is done is kept in
DIRECTORY/learning-curve, where the next call, or another process, finds it; the table is printed when all folds are
there. About half an hour on two cores, two folds side by side in two processes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.corpus_training import FOLDS, MODALITIES, RECIPE, Corpus, fold_of, load_corpus, trained
from resonance_engine.audio.windows import tags
from resonance_engine.encoder.manifest import Manifest
from resonance_engine.evaluation.measure import mean, query_scores
from resonance_engine.evaluation.retrieval import bootstrap_interval, hub_skewness
from resonance_engine.evaluation.segments import segment_recall
from resonance_engine.evaluation.tasks import UNFILTERED, tasks
from resonance_engine.evaluation.variants import VARIANTS, lists
from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.features.spec import FeatureSpec
from resonance_engine.files import write_bytes
from resonance_engine.network.files import load_network, save_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.data.songs import Song
from resonance_engine.training.finetune import adapted
from resonance_engine.training.results.embed import embeddings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from resonance_engine.training.data.dataset import WindowSet

MODELS = ("untrained", "trained", "fine-tuned")
SEGMENTS = "segment recall"
ALBUM = "album" + UNFILTERED

Values = dict[str, list[float]]


def songs_of(corpus: Corpus, directory: Path) -> list[Song]:
    """The corpus with a soundtrack as an album, which its folder tells."""
    found = []
    for track in corpus.tracks:
        path = directory / track.path
        known = tags(path)
        folder = directory / "music" / track.soundtrack / path.name
        found.append(Song(folder, known.title, known.artist, track.soundtrack, "", known.genre))
    return found


def halves(soundtracks: Sequence[str]) -> NDArray[np.intp]:
    """0 or 1 for each track: whole soundtracks, the largest first into the half with fewer tracks."""
    totals, half = [0, 0], {}
    names, counts = np.unique(np.array(soundtracks), return_counts=True)
    for count, name in sorted(zip(-counts, names, strict=True)):
        half[name] = int(totals[1] < totals[0])
        totals[half[name]] -= count
    return np.array([half[name] for name in soundtracks])


def model_of(corpus: Corpus, others: NDArray[np.intp], number: int, path: Path) -> ResonanceNetwork:
    """The recipe trained on these tracks, made if it is not there yet."""
    if not path.exists():
        torch.manual_seed(RECIPE.train.seed)
        network = trained(ResonanceNetwork(MODALITIES), corpus.training.subset(others), RECIPE, f"fold {number}")
        manifest = Manifest(f"fold {number}", "1", "MIT", FeatureSpec(), FRONT_END_VERSION)
        save_network(network, manifest, path)
    return load_network(path)[0]


def values_of(network: ResonanceNetwork, windows: WindowSet, songs: Sequence[Song]) -> Values:
    """Average precision of every track in each task, and whether each window's nearest is of its track."""
    found = embeddings(network, windows)
    values = {name: query_scores(found.tracks, each)["map"].tolist() for name, each in tasks(songs).items()}
    return {**values, SEGMENTS: segment_recall(found.windows, windows.song).tolist()}


def whole_fold(network: ResonanceNetwork, windows: WindowSet, songs: Sequence[Song]) -> dict[str, Any]:
    """What the table of a test set needs: all metrics of the trained model, and what reranking changes."""
    tracks = embeddings(network, windows).tracks
    relevance = tasks(songs)[ALBUM]
    rankings = {name: lists(tracks, relevance, how) for name, how in VARIANTS.items()}
    return {
        "metrics": {name: values.tolist() for name, values in query_scores(tracks, relevance).items()},
        "rankings": {
            name: {"recall@5": each.recall.tolist(), "mrr": each.reciprocal_rank.tolist()}
            for name, each in rankings.items()
        },
        "hub skewness": hub_skewness((tracks @ tracks.T).astype(np.float64)),
    }


def one_fold(corpus: Corpus, songs: Sequence[Song], number: int, folder: Path) -> dict[str, Any]:
    fold = fold_of(corpus.soundtracks)
    own = np.flatnonzero(fold == number - 1)
    network = model_of(corpus, np.flatnonzero(fold != number - 1), number, folder / f"fold-{number}.safetensors")
    torch.manual_seed(RECIPE.train.seed)
    untrained = ResonanceNetwork(MODALITIES).eval()
    half = halves([corpus.soundtracks[track] for track in own])
    # The windows that a user's own model learns from: the four that are listened to.
    tuned = [adapted(network, corpus.testing.subset(own[half == side])) for side in (0, 1)]
    tested = []
    for side in (0, 1):
        tracks = own[half != side]
        windows, known = corpus.testing.subset(tracks), [songs[int(track)] for track in tracks]
        models = dict(zip(MODELS, (untrained, network, tuned[side]), strict=True))
        tested.append(
            {
                "soundtracks": [song.album for song in known],
                "windows": windows.song.tolist(),
                **{name: values_of(model, windows, known) for name, model in models.items()},
            }
        )
    known = [songs[int(track)] for track in own]
    whole = whole_fold(network, corpus.testing.subset(own), known)
    return {"halves": tested, "soundtracks": [song.album for song in known], **whole}


def table(folds: Sequence[dict[str, Any]]) -> list[str]:
    """The learning curve: means over all tested tracks, paired differences with 95 % intervals over soundtracks."""
    parts = [part for fold in folds for part in fold["halves"]]
    lines = [f"{'':24}{'queries':>8}" + "".join(f"{name:>12}" for name in MODELS) + "   fine-tuned - trained"]
    for name in parts[0]["trained"]:
        values = {model: np.concatenate([np.array(part[model][name], float) for part in parts]) for model in MODELS}
        groups = [
            part["soundtracks"][track]
            for part in parts
            for track in (part["windows"] if name == SEGMENTS else range(len(part["soundtracks"])))
        ]
        gain = values["fine-tuned"] - values["trained"]
        low, high = bootstrap_interval(gain, groups, np.random.default_rng(0))
        queries = np.count_nonzero(~np.isnan(gain))
        means = "".join(f"{mean(values[model]):12.3f}" for model in MODELS)
        lines.append(f"{name:24}{queries:8}{means}   {mean(gain):+.4f} ({low:+.4f} to {high:+.4f})")
    return lines


def whole_table(folds: Sequence[dict[str, Any]]) -> list[str]:
    """The trained models on all of their fold, and what relevance feedback and diversity change."""
    groups = [name for fold in folds for name in fold["soundtracks"]]

    def pooled(*path: str) -> NDArray[np.float64]:
        found = []
        for fold in folds:
            values: Any = fold
            for key in path:
                values = values[key]
            found.append(np.array(values, float))
        return np.concatenate(found)

    means = (f"{name} {mean(pooled('metrics', name)):.3f}" for name in folds[0]["metrics"])
    lines = ["", "same soundtrack, whole folds: " + ", ".join(means)]
    lines.append("hub skewness: " + ", ".join(f"{fold['hub skewness']:.2f}" for fold in folds))
    plain = next(iter(VARIANTS))
    for ranking in VARIANTS:
        told = []
        for metric in ("recall@5", "mrr"):
            values, before = pooled("rankings", ranking, metric), pooled("rankings", plain, metric)
            low, high = bootstrap_interval(values - before, groups, np.random.default_rng(0))
            told.append(f"{metric} {mean(values):.3f} ({mean(values - before):+.3f}, {low:+.3f} to {high:+.3f})")
        lines.append(f"{ranking}: {', '.join(told)}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what training and fine-tuning bring.")
    parser.add_argument("corpus", type=Path, help="folder that training.default_model.corpus filled")
    parser.add_argument("--folds", type=int, nargs="+", choices=range(1, FOLDS + 1), default=range(1, FOLDS + 1))
    options = parser.parse_args()
    folder = options.corpus / "learning-curve"
    folder.mkdir(parents=True, exist_ok=True)
    results = {number: folder / f"fold-{number}.json" for number in range(1, FOLDS + 1)}
    wanted = [number for number in options.folds if not results[number].exists()]
    if wanted:
        corpus = load_corpus(options.corpus)
        songs = songs_of(corpus, options.corpus)
        for number in wanted:
            made = one_fold(corpus, songs, number, folder)
            write_bytes(results[number], json.dumps(made).encode())
            print(f"fold {number} done", flush=True)
    if all(path.exists() for path in results.values()):
        folds = [json.loads(path.read_bytes()) for path in results.values()]
        print("\n".join([*table(folds), *whole_table(folds)]))


if __name__ == "__main__":
    main()
