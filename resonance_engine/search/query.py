"""What is asked for: seed vectors in one space or several, what may come up, and how to rank it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.search.agreement import representatives
from resonance_engine.search.feedback import centroid, expanded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

    from resonance_engine.index.statistics import VectorMoments

    Vectors = NDArray[np.float32]
    Ids = NDArray[np.int64]

RERANKS = ("none", "mmr")
COMBINES = ("agreement", "centroid")
HUBNESS = ("mutual_proximity", "none")


class NearestVectors(Protocol):
    """An index: the `k` nearest of each query, never padded, the vectors behind ids, and how all of them lie."""

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
    """How to rank.

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
        if self.prf < 0:
            raise ValueError(f"prf is a number of hits, 0 or more, not {self.prf}")
        for name, known in (("rerank", RERANKS), ("combine", COMBINES), ("hubness", HUBNESS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not 0.0 <= self.lambda_div <= 1.0:
            raise ValueError(
                f"lambda_div must lie between 0 (similarity alone) and 1 (diversity alone), not {self.lambda_div}"
            )
        if self.min_score is not None and not -1.0 <= self.min_score <= 1.0:
            raise ValueError(f"min_score must lie between -1 and 1, not {self.min_score}")

    @property
    def diversity(self) -> float:
        """The weight of diversity; 0 where nothing is asked for."""
        return self.lambda_div if self.rerank == "mmr" else 0.0


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
    `vectors` is the index of whole embeddings, by which diversity and near-identical sounds are told; `avoid` (a, d)
    are embeddings of negative seeds.
    """

    vectors: NearestVectors
    layers: tuple[Layer, ...]
    exclude: Collection[int] = ()
    allowed: Ids | None = None
    avoid: Vectors | None = None

    def sharpened(self, hits: Collection[int]) -> Query:
        """The query with each seed moved towards these hits; no hits change nothing."""
        if not len(hits):
            return self
        layers = [
            replace(layer, seeds=np.stack([expanded(seed, found) for seed in layer.seeds]))
            for layer in self.layers
            for found in [layer.index.vectors(hits)]
        ]
        return replace(self, layers=tuple(layers))

    def condensed(self, combine: str) -> Query:
        """The query with its seeds' centroid, or with the seeds that stand for all, the most typical first."""
        if combine == "centroid":
            layers = [
                Layer(each.index, centroid(each.seeds)[None, :], each.weights.mean(keepdims=True))
                for each in self.layers
            ]
            return replace(self, layers=tuple(layers))
        chosen = representatives(self.layers[0].seeds)
        layers = [Layer(each.index, each.seeds[chosen], each.weights[chosen]) for each in self.layers]
        return replace(self, layers=tuple(layers))


def query(
    index: NearestVectors,
    seeds: Vectors,
    exclude: Collection[int] = (),
    allowed: Iterable[int] | None = None,
    avoid: Vectors | None = None,
) -> Query:
    """A query by whole embeddings: seeds (s, d), s at least 1, and negative seeds (a, d)."""
    chosen = None if allowed is None else np.fromiter(allowed, np.int64)
    return Query(index, (Layer(index, seeds, np.ones(len(seeds))),), exclude, chosen, avoid)
