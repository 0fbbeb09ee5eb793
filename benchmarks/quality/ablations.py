"""What feedback, diversity, mutual proximity and the windows by themselves give, pool by pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.resonance import WHOLE
from resonance_engine.evaluation.metrics import same_label
from resonance_engine.evaluation.rankings import RANKINGS, evaluate_ranking
from resonance_engine.evaluation.segments import segment_recall

if TYPE_CHECKING:
    from benchmarks.quality.kept import Kept
    from benchmarks.quality.scores import Tracks
    from benchmarks.quality.similarity import Array

MEASURES = ("R@5", "MRR", "alike")
SEGMENTS = (
    "Segment Recall@1: the share of 18 s windows whose nearest window by cosine, among all other windows of the pool's "
    "tracks, is of the same track; mean over the windows of all pools."
)


def ways_to_rank(tracks: Tracks, kept: Kept, filtered: bool) -> dict[str, dict[str, Array]]:
    """For each way, a value per track as a query (NaN where nothing is relevant): R@5, MRR of 20, mean cosine in it.

    Relevant are tracks of the same soundtrack; with `filtered`, the query's own artist's tracks are taken out.
    """
    found = {way: {name: np.full(len(tracks.paths), np.nan) for name in MEASURES} for way in RANKINGS}
    for places in tracks.pools():
        known, arrays = kept.pool([tracks.paths[place] for place in places])
        rows = places[known]
        vectors = arrays[WHOLE].astype(np.float32)
        artists = [tracks.artists[row] for row in rows] if filtered else None
        relevance = same_label([tracks.soundtracks[row] for row in rows], artists)
        made = {way: evaluate_ranking(vectors, relevance, ranking) for way, ranking in RANKINGS.items()}
        for way, each in made.items():
            for name, values in zip(MEASURES, (each.recall, each.reciprocal_rank, each.alike), strict=True):
                found[way][name][rows] = values
    return found


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
