"""A similarity query: seed vectors in one space or several, the ids that may come up, and how to rank them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.search.seed_sets import apply_feedback, centroid, representatives

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

    from resonance_engine.index.statistics import VectorMoments

    Vectors = NDArray[np.float32]
    Ids = NDArray[np.int64]

RERANKS = ("none", "mmr")
COMBINES = ("agreement", "centroid")
HUBNESS = ("mutual_proximity", "none")
POOL = 5  # candidates per track of the list that diversity, corrections and rules choose among
LEAST_POOL = 100


class NearestVectors(Protocol):
    """An index: the `k` nearest of each query, never padded, the vectors of ids, and the moments of all of them."""

    @property
    def moments(self) -> VectorMoments: ...

    def nearest(
        self, queries: Vectors, k: int, exclude: Iterable[int] | None = None, allowed: Iterable[int] | None = None
    ) -> tuple[Vectors, Ids]: ...

    def vectors(self, ids: Iterable[int]) -> Vectors: ...

    def has(self, ids: Iterable[int]) -> NDArray[np.bool_]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Ranking:
    """Options of a ranking.

    `count` tracks; `prf` hits that sharpen the query; `rerank` none or mmr with `lambda_div`, the weight of diversity
    between 0 and 1; `combine` several seeds by agreement or in their centroid; `hubness` mutual_proximity or none;
    `min_score`, the least score that is listed, None for any.
    """

    count: int = 20
    prf: int = 0
    rerank: str = "none"
    lambda_div: float = 0.3
    combine: str = "agreement"
    hubness: str = "mutual_proximity"
    min_score: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"the number of tracks must be at least 1, not {self.count}")
        if not self.prf >= 0:  # nor NaN
            raise ValueError(f"prf is a number of hits, 0 or more, not {self.prf}")
        for name, choices in (("rerank", RERANKS), ("combine", COMBINES), ("hubness", HUBNESS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if not 0.0 <= self.lambda_div <= 1.0:
            raise ValueError(
                f"lambda_div must lie between 0 (similarity alone) and 1 (diversity alone), not {self.lambda_div}"
            )
        if self.min_score is not None and not -1.0 <= self.min_score <= 1.0:
            raise ValueError(f"min_score must lie between -1 and 1, not {self.min_score}")

    @property
    def diversity(self) -> float:
        """The weight of diversity; 0 without mmr."""
        return self.lambda_div if self.rerank == "mmr" else 0.0

    @property
    def pool_size(self) -> int:
        """How many candidates to rank first."""
        return max(POOL * self.count, self.prf, LEAST_POOL)


@dataclass(frozen=True, eq=False)
class Layer:
    """A space in which similarity is measured: its index, the seeds in it (s, d), and its weight for each seed (s,)."""

    index: NearestVectors
    seeds: Vectors
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Query:
    """Seeds in one or more layers whose weights sum to one for each seed; see `query` and `facets.facet_query`.

    Vector ids in `exclude` never come up (the seeds belong there), and where `allowed` is given, only those in it do.
    `vectors` is the index of whole embeddings, by which diversity and near-identical sounds are measured; `avoid`
    (a, d) are embeddings of negative seeds.
    """

    vectors: NearestVectors
    layers: tuple[Layer, ...]
    exclude: Collection[int] = ()
    allowed: Ids | None = None
    avoid: Vectors | None = None

    def with_feedback(self, hits: Collection[int]) -> Query:
        """Move each seed towards these hits; no hits change nothing."""
        if not len(hits):
            return self
        layers = []
        for layer in self.layers:
            vectors = layer.index.vectors(hits)
            layers.append(replace(layer, seeds=np.stack([apply_feedback(seed, vectors) for seed in layer.seeds])))
        return replace(self, layers=tuple(layers))

    def condensed(self, combine: str) -> Query:
        """Replace the seeds by their centroid, or by those that stand for all, the most typical first."""
        if combine == "centroid":
            layers = [
                Layer(layer.index, centroid(layer.seeds)[None, :], layer.weights.mean(keepdims=True))
                for layer in self.layers
            ]
        elif len(self.layers[0].seeds) == 1:
            return self
        else:
            typical = representatives(self.layers[0].seeds)
            layers = [Layer(layer.index, layer.seeds[typical], layer.weights[typical]) for layer in self.layers]
        return replace(self, layers=tuple(layers))


def query(
    index: NearestVectors,
    seeds: Vectors,
    exclude: Collection[int] = (),
    allowed: Iterable[int] | None = None,
    avoid: Vectors | None = None,
) -> Query:
    """Query by whole embeddings: seeds (s, d), s at least 1, and negative seeds (a, d)."""
    ids = None if allowed is None else np.fromiter(allowed, np.int64)
    return Query(index, (Layer(index, seeds, np.ones(len(seeds))),), exclude, ids, avoid)
