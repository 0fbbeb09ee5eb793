"""Score the rankings (feedback, diversity, mutual proximity) and the single windows, pool by pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.resonance import WHOLE
from resonance_engine.evaluation.evaluate import RANKINGS, evaluate_ranking
from resonance_engine.evaluation.metrics import same_label, segment_recall

if TYPE_CHECKING:
    from benchmarks.quality.cache import CorpusEmbeddings
    from benchmarks.quality.scores import CorpusLabels
    from benchmarks.quality.similarity import Array

MEASURES = ("R@5", "MRR", "alike")
SEGMENTS = (
    "Segment Recall@1: the share of 18 s windows whose nearest window by cosine, among all other windows of the pool's "
    "tracks, is of the same track; mean over the windows of all pools."
)


def score_rankings(labels: CorpusLabels, embeddings: CorpusEmbeddings, filtered: bool) -> dict[str, dict[str, Array]]:
    """Return, by ranking, R@5, MRR of 20 and the mean cosine within the list of each query; NaN if unanswerable.

    Relevant are tracks of the same soundtrack; with `filtered`, the query's artist's other tracks are taken out.
    """
    values = {way: {name: np.full(len(labels.paths), np.nan) for name in MEASURES} for way in RANKINGS}
    for places in labels.pools():
        known, arrays = embeddings.stack([labels.paths[place] for place in places])
        rows = places[known]
        vectors = arrays[WHOLE].astype(np.float32)
        artists = [labels.artists[row] for row in rows] if filtered else None
        relevance = same_label([labels.soundtracks[row] for row in rows], artists)
        for way, ranking in RANKINGS.items():
            scores = evaluate_ranking(vectors, relevance, ranking)
            for name, column in zip(MEASURES, (scores.recall, scores.reciprocal_rank, scores.alike), strict=True):
                values[way][name][rows] = column
    return values


def score_segments(labels: CorpusLabels, embeddings: CorpusEmbeddings) -> tuple[Array, list[str]]:
    """Return Segment Recall@1 of every window, and the windows' soundtracks."""
    values: list[Array] = []
    soundtracks: list[str] = []
    for places in labels.pools():
        known, arrays = embeddings.stack([labels.paths[place] for place in places])
        windows = arrays["windows"].astype(np.float32)
        present = ~np.isnan(windows).any(axis=2)
        song = np.repeat(np.arange(len(known)), present.sum(axis=1))
        values.append(segment_recall(windows[present], song))
        soundtracks += [labels.soundtracks[places[known[number]]] for number in song]
    return np.concatenate(values), soundtracks
