"""Compare agreement and centroid for several seeds, drawn from one soundtrack and from two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.resonance import WHOLE
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking
from resonance_engine.search.selection import find_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.quality.cache import CorpusEmbeddings
    from benchmarks.quality.scores import CorpusLabels

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
MEANS = (
    "Seeds drawn at random from one soundtrack (2, 3, 5) or from two (1 + 1 to 4 + 1). P@10: the share of ten listed "
    "tracks that are of a seed's soundtrack. Both: of two soundtracks, the one that is found less: how many of its "
    "tracks are listed, as a share of the five that could be."
)


@dataclass
class DrawScores:
    """A value for each draw of seeds, and the first seed's soundtrack, by which intervals are drawn."""

    values: list[float] = field(default_factory=list)
    soundtracks: list[str] = field(default_factory=list)


def score_combinations(labels: CorpusLabels, embeddings: CorpusEmbeddings) -> dict[str, dict[str, DrawScores]]:
    """Return, for each way to combine seeds, the scores of all draws by column."""
    scores: dict[str, dict[str, DrawScores]] = {way: {} for way in COMBINATIONS}
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
                        column_scores = scores[way].setdefault(column, DrawScores())
                        column_scores.values.append(value)
                        column_scores.soundtracks.append(drawn[0])
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
