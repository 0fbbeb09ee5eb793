"""Score systems, rankings, windows and combinations of seeds by similarities within each pool, one value per query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.systems import WHOLE, Array, mutual_proximity
from resonance_engine.evaluation.evaluate import RANKINGS, evaluate_ranking
from resonance_engine.evaluation.metrics import (
    average_precision,
    precision_at,
    ranked_relevance,
    recall_at,
    same_label,
    segment_recall,
)
from resonance_engine.evaluation.statistics import occurrence_counts, skewness
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking
from resonance_engine.search.selection import find_neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.embedding_run import CorpusEmbeddings
    from benchmarks.quality.systems import Similarity

    Draws = tuple[list[float], list[str]]  # a value and the first soundtrack, by which intervals are drawn

RECALL, PRECISION, MAP = "same-soundtrack R@1", "P@10", "mAP"
ARTIST, FILTERED = "same-artist mAP", "artist-filtered R@1"
QUALITY = (RECALL, PRECISION, MAP, ARTIST, FILTERED)
LAST = -1e300  # below every similarity, above the candidates that are filtered out
MEASURES = ("R@5", "MRR", "alike")
SEGMENTS = (
    "Segment Recall@1: the share of 18 s windows whose nearest window by cosine, among all other windows of the pool's "
    "tracks, is of the same track; mean over the windows of all pools."
)
LISTED = 10
DRAWS = 40  # of seeds, per pool and mixture
REMAINING = 3  # tracks of a seed's soundtrack that must be left as relevant candidates
MIXTURES = {"2": (2,), "3": (3,), "5": (5,), "1 + 1": (1, 1), "2 + 2": (2, 2), "3 + 3": (3, 3), "4 + 1": (4, 1)}
COMBINATIONS = {
    "centroid": Ranking(LISTED, combine="centroid", hubness="none"),
    "agreement": Ranking(LISTED, hubness="none"),
    "centroid, mutual proximity": Ranking(LISTED, combine="centroid"),
    "agreement, mutual proximity": Ranking(LISTED),
}
COMBINED_MEANS = (
    "Seeds drawn at random from one soundtrack (2, 3, 5) or from two (1 + 1 to 4 + 1). P@10: the share of ten listed "
    "tracks that are of a seed's soundtrack. Both: of two soundtracks, the one that is found less: how many of its "
    "tracks are listed, as a share of the five that could be."
)


@dataclass(frozen=True)
class CorpusLabels:
    """The corpus' metadata: a path, a soundtrack, an artist (empty where unknown) and a fold per track."""

    paths: tuple[str, ...]
    soundtracks: tuple[str, ...]
    artists: tuple[str, ...]
    fold: NDArray[np.intp]

    def pools(self) -> list[NDArray[np.intp]]:
        """Return the places of each fold's tracks."""
        return [np.flatnonzero(self.fold == number) for number in np.unique(self.fold)]

    def sample(self, count: int) -> list[str]:
        """Return the paths of `count` tracks, taken from all soundtracks in turns."""
        turns: dict[str, int] = {}
        ranked = []
        for path, soundtrack in zip(self.paths, self.soundtracks, strict=True):
            turns[soundtrack] = turns.get(soundtrack, -1) + 1
            ranked.append((turns[soundtrack], soundtrack, path))
        sampled = {path for *_, path in sorted(ranked)[:count]}
        return [path for path in self.paths if path in sampled]


@dataclass(frozen=True, eq=False)
class SystemScores:
    """A row of the table: a value per query and column, NaN where nothing is relevant.

    `occurrence` (tracks,) is the k-occurrence at 10 of each track within its pool, `corrected` that under mutual
    proximity.
    """

    queries: dict[str, Array]
    occurrence: Array
    corrected: Array


def score_embeddings(labels: CorpusLabels, embeddings: CorpusEmbeddings, similarity: Similarity) -> SystemScores:
    """Score a similarity in every pool; a track that the system failed on has NaN for its row and column."""
    similarities = []
    for places in labels.pools():
        known, arrays = embeddings.stack([labels.paths[place] for place in places])
        full = np.full((len(places), len(places)), np.nan)
        if known:
            full[np.ix_(known, known)] = similarity(arrays)
        similarities.append(full)
    return score_similarities(labels, similarities)


def score_similarities(labels: CorpusLabels, similarities: Sequence[Array]) -> SystemScores:
    """Compute all columns from the similarities within each pool, in the order of `CorpusLabels.pools`.

    A row of NaN is a track that the system failed on: as a candidate it comes last, as a query it has no value.
    """
    values = {column: np.full(len(labels.paths), np.nan) for column in QUALITY}
    occurrence, corrected = np.zeros((2, len(labels.paths)))
    for places, similarity in zip(labels.pools(), similarities, strict=True):
        soundtracks = [labels.soundtracks[place] for place in places]
        artists = [labels.artists[place] for place in places]
        known = ~np.isnan(similarity).all(axis=1)
        ranked = np.nan_to_num(similarity, nan=LAST)
        hits, _ = ranked_relevance(ranked, same_label(soundtracks))
        columns = {RECALL: recall_at(hits, 1), PRECISION: precision_at(hits, 10), MAP: average_precision(hits)}
        columns[ARTIST] = average_precision(ranked_relevance(ranked, same_label(artists))[0])
        columns[FILTERED] = recall_at(ranked_relevance(ranked, same_label(soundtracks, artists))[0], 1)
        for column, scores in columns.items():
            values[column][places] = np.where(known, scores, np.nan)
        occurrence[places] = occurrence_counts(ranked)
        corrected[places] = occurrence_counts(np.nan_to_num(mutual_proximity(similarity), nan=LAST))
    return SystemScores(values, occurrence, corrected)


def fold_skewness(labels: CorpusLabels, counts: Array) -> float:
    """Return the mean over the pools of the skewness within each."""
    return float(np.mean([skewness(counts[places]) for places in labels.pools()]))


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


def score_combinations(labels: CorpusLabels, embeddings: CorpusEmbeddings) -> dict[str, dict[str, Draws]]:
    """Return, for each way to combine seeds, the scores of all draws by column."""
    scores: dict[str, dict[str, Draws]] = {way: {} for way in COMBINATIONS}
    for number, places in enumerate(labels.pools()):
        known, arrays = embeddings.stack([labels.paths[place] for place in places])
        vectors = arrays[WHOLE].astype(np.float32)
        soundtracks = np.array([labels.soundtracks[places[row]] for row in known])
        index = VectorIndex(np.arange(len(vectors)), vectors)
        for mixture, sizes in MIXTURES.items():
            for seeds, drawn in draw_seeds(soundtracks, sizes, number):
                for way, ranking in COMBINATIONS.items():
                    hits = [hit.id for hit in find_neighbours(index, vectors[seeds], ranking, seeds.tolist())]
                    for column, value in score_list(mixture, soundtracks, seeds, hits, drawn).items():
                        values, groups = scores[way].setdefault(column, ([], []))
                        values.append(value)
                        groups.append(drawn[0])
    return scores


def draw_seeds(
    soundtracks: NDArray[np.str_], sizes: tuple[int, ...], seed: int
) -> list[tuple[NDArray[np.intp], list[str]]]:
    """Draw the places of seeds and their soundtracks; none where the pool has too few large soundtracks."""
    random = np.random.default_rng(seed)
    names, counts = np.unique(soundtracks, return_counts=True)
    large = names[counts >= max(sizes) + REMAINING]
    draws = []
    for _ in range(DRAWS if len(large) >= len(sizes) else 0):
        drawn = random.choice(large, len(sizes), replace=False)
        places = [
            random.choice(np.flatnonzero(soundtracks == name), size, replace=False)
            for name, size in zip(drawn, sizes, strict=True)
        ]
        draws.append((np.concatenate(places), [str(name) for name in drawn]))
    return draws


def score_list(
    mixture: str, soundtracks: NDArray[np.str_], seeds: NDArray[np.intp], hits: list[int], drawn: list[str]
) -> dict[str, float]:
    """Return P@10, and for two soundtracks the share of the lesser one."""
    listed = soundtracks[hits]
    scores = {f"{mixture}: P@10": float(np.isin(listed, drawn).mean())}
    if len(drawn) > 1:
        candidates = np.delete(soundtracks, seeds)
        parts = [(listed == name).sum() / min((candidates == name).sum(), LISTED // 2) for name in drawn]
        scores[f"{mixture}: both"] = float(min(1.0, *parts))
    return scores
