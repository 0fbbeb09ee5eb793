"""A learned taste: weights of facets for a query, and what era and principal axes add to the scores of candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.facets import gate_shares
from resonance_engine.search.ranking import CandidatePool, rank_by_similarity
from resonance_engine.taste.features import era_nearness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.search.ranking import Query, Ranking
    from resonance_engine.taste.features import PrincipalAxes

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]

LEAST_POOL = 500  # candidates that era and axes choose among
LEAST_SHARE = 0.05  # of the facets in the similarity


@dataclass(frozen=True, eq=False)
class Taste:
    """Weights (p,) of standardised similarities: of the `facets`, the era and the `axes`; see `PairFeatures`."""

    facets: tuple[str, ...]
    weights: Array
    mean: Array
    deviation: Array
    axes: PrincipalAxes

    def facet_weights(self, gates: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Return the weights of the facets for a query whose seeds have these gates; none is negative."""
        seeds = [gate_shares(each) for each in gates]
        shares = {name: float(np.mean([each[name] for each in seeds])) for name in self.facets}
        return {
            name: float(each / max(shares[name], 1e-6)) for name, each in zip(self.facets, self.cosines, strict=True)
        }

    @property
    def cosines(self) -> Array:
        """The weights of the facets' cosines; each has a little, by which candidates are found."""
        count = len(self.facets)
        raw = np.maximum(self.weights[:count] / self.deviation[:count], 0.0)
        return np.asarray(np.maximum(raw, LEAST_SHARE * np.abs(self.weights).sum() / count))

    @property
    def share(self) -> float:
        """The share of the facets in a similarity, 0 to 1; the rest is that of era and axes."""
        facets = float(self.cosines.sum())
        return facets / (facets + float(np.abs(self.weights[len(self.facets) :]).sum()))

    def adjust(self, seeds: tuple[Vectors, Array], candidates: tuple[Vectors, Array]) -> Array:
        """Return what era and axes add to similarities of candidates: the mean over the seeds.

        Both are given as embeddings (n, d) and years (n,), NaN where unknown.
        """
        count = len(self.facets)
        nearness = era_nearness(seeds[1][:, None], candidates[1])
        era = np.nan_to_num((nearness - self.mean[count]) / self.deviation[count]) * self.weights[count]
        mine, theirs = (self.axes.project(vectors).astype(np.float64) for vectors in (seeds[0], candidates[0]))
        scaled = self.weights[count + 1 :] / self.deviation[count + 1 :]
        products = (mine * scaled) @ theirs.T - float(self.mean[count + 1 :] @ scaled)
        return np.asarray((era + products).mean(axis=0) * self.share / self.cosines.sum())


def rank_by_taste(
    taste: Taste,
    seeds: tuple[Vectors, Array],
    years: Callable[[Sequence[int]], Array],
    query: Query,
    ranking: Ranking,
    size: int,
) -> CandidatePool:
    """Rank about `size` candidates as `rank_by_similarity` does, with what era and axes add to the scores.

    `years` returns the years of candidates by their vector ids, NaN where unknown.
    """
    pool = rank_by_similarity(query, ranking, max(size, LEAST_POOL))
    scores = taste.share * pool.scores + taste.adjust(seeds, (pool.vectors, years(pool.ids.tolist())))
    ordered = CandidatePool.ordered(pool.ids, scores, pool.vectors, pool.complete)
    part = slice(0, size)
    is_whole = ordered.complete and len(ordered.ids) <= size
    return replace(
        ordered, ids=ordered.ids[part], scores=ordered.scores[part], vectors=ordered.vectors[part], complete=is_whole
    )
