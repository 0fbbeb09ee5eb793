"""What feedback, diversity, mutual proximity and the windows by themselves give, pool by pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.resonance import WHOLE
from benchmarks.quality.similarity import Array, cosine, mutual_proximity
from resonance_engine.evaluation.retrieval import Relevance, same_label
from resonance_engine.evaluation.segments import segment_recall
from resonance_engine.evaluation.variants import FIRST, SHOWN, VARIANTS, Lists, lists, mean_cosine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.quality.kept import Kept
    from benchmarks.quality.scores import Tracks

PROXIMITY = "mutual proximity"
MEASURES = ("R@5", "MRR", "alike")
SEGMENTS = (
    "Segment Recall@1: the share of 18 s windows whose nearest window by cosine, among all other windows of the pool's "
    "tracks, is of the same track; mean over the windows of all pools."
)


def ways_to_rank(tracks: Tracks, kept: Kept, filtered: bool) -> dict[str, dict[str, Array]]:
    """For each way, a value per track as a query (NaN where nothing is relevant): R@5, MRR of 20, mean cosine in it.

    Relevant are tracks of the same soundtrack; with `filtered`, the query's own artist's tracks are taken out.
    """
    found = {way: {name: np.full(len(tracks.paths), np.nan) for name in MEASURES} for way in (*VARIANTS, PROXIMITY)}
    for places in tracks.pools():
        known, arrays = kept.pool([tracks.paths[place] for place in places])
        rows = places[known]
        vectors = arrays[WHOLE].astype(np.float32)
        artists = [tracks.artists[row] for row in rows] if filtered else None
        relevance = same_label([tracks.soundtracks[row] for row in rows], artists)
        made = {way: lists(vectors, relevance, ranking) for way, ranking in VARIANTS.items()}
        made[PROXIMITY] = lists_by(mutual_proximity(cosine(vectors.astype(np.float64))), vectors, relevance)
        for way, each in made.items():
            for name, values in zip(MEASURES, (each.recall, each.reciprocal_rank, each.alike), strict=True):
                found[way][name][rows] = values
    return found


def lists_by(similarity: Array, vectors: NDArray[np.float32], relevance: Relevance) -> Lists:
    """The same as `lists` gives, for the first 20 by these similarities (n, n)."""
    values = np.full((3, len(vectors)), np.nan)
    for query in np.flatnonzero(relevance.relevant.any(axis=1)):
        scores = np.where(relevance.allowed[query], similarity[query], -np.inf)
        ids = np.argsort(-scores, kind="stable")[: min(SHOWN, int(relevance.allowed[query].sum()))]
        hits = relevance.relevant[query, ids]
        first = 1.0 / (hits.argmax() + 1.0) if hits.any() else 0.0
        values[:, query] = hits[:FIRST].any(), first, mean_cosine(vectors[ids])
    return Lists(*values)


def segments(tracks: Tracks, kept: Kept) -> tuple[Array, list[str]]:
    """Segment Recall@1 of every window, and the soundtrack that it is from."""
    values: list[Array] = []
    soundtracks: list[str] = []
    for places in tracks.pools():
        known, arrays = kept.pool([tracks.paths[place] for place in places])
        windows = arrays["windows"].astype(np.float32)
        heard = ~np.isnan(windows).any(axis=2)
        song = np.repeat(np.arange(len(known)), heard.sum(axis=1))
        values.append(segment_recall(windows[heard], song))
        soundtracks += [tracks.soundtracks[places[known[number]]] for number in song]
    return np.concatenate(values), soundtracks
