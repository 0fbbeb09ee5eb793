"""Several seeds at once: what agreement finds that the centroid does not, for seeds of one soundtrack and of two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.resonance import WHOLE
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import Ranking, neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.quality.kept import Kept
    from benchmarks.quality.scores import Tracks

LISTED = 10
DRAWS = 40  # of seeds, a pool and mixture
LEFT = 3  # tracks of a soundtrack that must be left to be found
MIXTURES = {"2": (2,), "3": (3,), "5": (5,), "1 + 1": (1, 1), "2 + 2": (2, 2), "3 + 3": (3, 3), "4 + 1": (4, 1)}
WAYS = {
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
class Answers:
    """A value for each draw of seeds, and the soundtrack of the first of them, by which intervals are drawn."""

    values: list[float] = field(default_factory=list)
    soundtracks: list[str] = field(default_factory=list)


def ways_to_combine(tracks: Tracks, kept: Kept) -> dict[str, dict[str, Answers]]:
    """For each way to combine seeds, the answers by column."""
    found: dict[str, dict[str, Answers]] = {way: {} for way in WAYS}
    for number, places in enumerate(tracks.pools()):
        known, arrays = kept.pool([tracks.paths[place] for place in places])
        vectors = arrays[WHOLE].astype(np.float32)
        labels = np.array([tracks.soundtracks[places[each]] for each in known])
        index = VectorIndex(np.arange(len(vectors)), vectors)
        for mixture, sizes in MIXTURES.items():
            for seeds, drawn in draws(labels, sizes, number):
                for way, ranking in WAYS.items():
                    hits = [each.id for each in neighbours(index, vectors[seeds], ranking, seeds.tolist())]
                    for column, value in measured(mixture, labels, seeds, hits, drawn).items():
                        answers = found[way].setdefault(column, Answers())
                        answers.values.append(value)
                        answers.soundtracks.append(drawn[0])
    return found


def draws(labels: NDArray[np.str_], sizes: tuple[int, ...], seed: int) -> list[tuple[NDArray[np.intp], list[str]]]:
    """Seeds' places, and the soundtracks that they are of; none where the pool has too few large ones."""
    random = np.random.default_rng(seed)
    names, counts = np.unique(labels, return_counts=True)
    large = names[counts >= max(sizes) + LEFT]
    found = []
    for _ in range(DRAWS if len(large) >= len(sizes) else 0):
        drawn = random.choice(large, len(sizes), replace=False)
        places = [
            random.choice(np.flatnonzero(labels == name), size, replace=False)
            for name, size in zip(drawn, sizes, strict=True)
        ]
        found.append((np.concatenate(places), [str(name) for name in drawn]))
    return found


def measured(
    mixture: str, labels: NDArray[np.str_], seeds: NDArray[np.intp], hits: list[int], drawn: list[str]
) -> dict[str, float]:
    """P@10, and for two soundtracks how well the lesser one is found."""
    listed = labels[hits]
    found = {f"{mixture}: P@10": float(np.isin(listed, drawn).mean())}
    if len(drawn) > 1:
        left = np.delete(labels, seeds)
        parts = [(listed == name).sum() / min((left == name).sum(), LISTED // 2) for name in drawn]
        found[f"{mixture}: both"] = float(min(1.0, *parts))
    return found
