"""Compare fusions (gated sum, gated concatenation, cross attention) on soundtracks that no network was trained on.

    python -m benchmarks.fusion_ablation DIRECTORY [--folds 1 2 3 4 5]

The three-modality network with each fusion, trained on four folds of soundtracks and tested on the fifth. Networks are
kept in DIRECTORY/learning-curve, where those of `benchmarks.learning_curve` serve as the gated sum; the table is of the
folds that are named. About an hour on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus_training import MODALITIES, fold_network, load_corpus, parse_options
from resonance_engine.encoder.manifest import FUSION_MODES
from resonance_engine.evaluation.metrics import query_scores, segment_recall
from resonance_engine.evaluation.statistics import estimate_mean, mean
from resonance_engine.evaluation.tasks import UNFILTERED, tasks
from resonance_engine.training.results.validation import embed_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.corpus_training import SoundtrackCorpus

    Values = dict[str, NDArray[np.float64]]

MEASURES = ("R@1", "mAP", "mAP, artist left out", "segment recall")


def score(corpus: SoundtrackCorpus, number: int, fusion: str) -> Values:
    """Compute every measure of each track of a fold (segment recall: of each window), and the tracks' gates."""
    own = np.flatnonzero(corpus.fold == number)
    windows = corpus.testing.subset(own)
    output = embed_windows(fold_network(corpus, number, fusion), windows)
    relevances = tasks([corpus.songs[int(track)] for track in own])
    whole = query_scores(output.tracks, relevances["album" + UNFILTERED])
    filtered = query_scores(output.tracks, relevances["album"])
    values = (whole["recall@1"], whole["map"], filtered["map"], segment_recall(output.windows, windows.song))
    return {**dict(zip(MEASURES, values, strict=True)), "gates": output.gates.astype(np.float64)}


def format_table(values: dict[str, Values], soundtracks: Sequence[str]) -> list[str]:
    """Format a row for each fusion, with its paired difference from the gated sum (95 % interval over soundtracks)."""
    lines = []
    for fusion, scores in values.items():
        means = ", ".join(f"{name} {mean(scores[name]):.3f}" for name in MEASURES)
        gain = estimate_mean(scores["mAP"] - values[FUSION_MODES[0]]["mAP"], soundtracks)
        gates = zip(MODALITIES, scores["gates"].mean(axis=0), strict=True)
        shares = ", ".join(f"{name} {gate:.2f}" for name, gate in gates)
        difference = f"mAP {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        lines.append(f"{fusion}: {means}; {difference}; gates {shares}")
    return lines


def main() -> None:
    options = parse_options("Compare the three ways to fuse modalities.")
    corpus = load_corpus(options.corpus)
    folds = {fusion: [score(corpus, number, fusion) for number in options.folds] for fusion in FUSION_MODES}
    values = {
        fusion: {name: np.concatenate([fold[name] for fold in scores]) for name in scores[0]}
        for fusion, scores in folds.items()
    }
    order = [track for number in options.folds for track in np.flatnonzero(corpus.fold == number)]
    print("\n".join(format_table(values, [corpus.soundtracks[track] for track in order])))


if __name__ == "__main__":
    main()
