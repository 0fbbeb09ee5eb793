"""A similarity query, and the candidates near its seeds, scored.

A score is the agreement of similarities to the seeds, corrected for hubness, less a penalty for negative seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Self

import numpy as np

from resonance_engine.index.vector_index import unique
from resonance_engine.search.vector_sets import apply_feedback, centroid, representatives

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

    from resonance_engine.index.statistics import VectorMoments
    from resonance_engine.index.vector_index import VectorIndex

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]
    Ids = NDArray[np.int64]

RERANKS = ("none", "mmr")
COMBINES = ("agreement", "centroid")
HUBNESS = ("mutual_proximity", "none")
POOL = 5  # candidates per track of the list that diversity, corrections and rules choose among
LEAST_POOL = 100
PROBES = 8  # seeds whose own neighbourhoods are searched, beside the centroid's; all seeds score what is fetched
AVOIDANCE = 0.5
MOST_COMPARED = 512
LEAST_CORRECTED = 50  # tracks in an index; the distances to fewer do not show how one lies among them
FARTHEST = 1e-300  # the smallest chance that is distinguished from 0
SAME = 1e-3  # from 1, the cosine of a seed and itself as it is stored


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
    def pool_size(self) -> int:
        """How many candidates to rank first."""
        return max(POOL * self.count, self.prf, LEAST_POOL)


@dataclass(frozen=True, eq=False)
class Layer:
    """A space in which similarity is measured: its index, the seeds in it (s, d), and its weight for each seed (s,)."""

    index: VectorIndex
    seeds: Vectors
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Query:
    """Seeds in one or more layers whose weights sum to one for each seed; see `query` and `facets.facet_query`.

    Vector ids in `exclude` never come up (the seeds belong there), and where `allowed`, which has none of these, is
    given, only those in it do. `vectors` is the index of whole embeddings, by which diversity and near-identical sounds
    are measured; `avoid` (a, d) are embeddings of negative seeds.
    """

    vectors: VectorIndex
    layers: tuple[Layer, ...]
    exclude: Collection[int] = ()
    allowed: Ids | None = None
    avoid: Vectors | None = None


def query(
    index: VectorIndex,
    seeds: Vectors,
    exclude: Collection[int] = (),
    allowed: Iterable[int] | None = None,
    avoid: Vectors | None = None,
) -> Query:
    """Query by whole embeddings: seeds (s, d), s at least 1, and negative seeds (a, d)."""
    ids = None if allowed is None else np.fromiter({*allowed}.difference(exclude), np.int64)
    return Query(index, (Layer(index, seeds, np.ones(len(seeds))),), exclude, ids, avoid)


@dataclass(frozen=True, eq=False)
class CandidatePool:
    """Candidates, best first: `ids` (n,), `scores` (n,), embeddings `vectors` (n, d).

    `complete` means that nothing else may come up.
    """

    ids: Ids
    scores: Array
    vectors: Vectors
    complete: bool

    @classmethod
    def ordered(cls, ids: Ids, scores: Array, vectors: Vectors, complete: bool) -> Self:
        """Order candidates by score; of equal ones the lower id comes first."""
        order = np.lexsort((ids, -scores))
        return cls(ids[order], scores[order], vectors[order], complete)


def refine(query: Query, ranking: Ranking) -> Query:
    """Prepare a query for `rank_by_similarity`.

    Several seeds are replaced by their centroid, or by those that stand for all, the most typical first; then each is
    moved towards the first `prf` hits.
    """
    layers = query.layers
    if ranking.combine == "centroid":
        layers = tuple(
            Layer(layer.index, centroid(layer.seeds)[None, :], layer.weights.mean(keepdims=True)) for layer in layers
        )
    elif len(layers[0].seeds) > 1:
        typical = representatives(layers[0].seeds)
        layers = tuple(Layer(layer.index, layer.seeds[typical], layer.weights[typical]) for layer in layers)
    query = replace(query, layers=layers)
    if not ranking.prf:
        return query
    hits = rank_by_similarity(query, ranking, ranking.pool_size).ids[: ranking.prf]
    if not len(hits):
        return query
    moved = []
    for layer in layers:
        vectors = layer.index.vectors(hits)
        moved.append(replace(layer, seeds=np.stack([apply_feedback(seed, vectors) for seed in layer.seeds])))
    return replace(query, layers=tuple(moved))


def rank_by_similarity(query: Query, ranking: Ranking, size: int) -> CandidatePool:
    """Rank about `size` candidates for a query from `refine`; a larger pool can differ towards its end."""
    ids, complete = fetch_candidates(query, size)
    vectors = query.vectors.vectors(ids)
    return CandidatePool.ordered(ids, score_candidates(query, ranking.hubness, ids, vectors), vectors, complete)


def fetch_candidates(query: Query, size: int) -> tuple[Ids, bool]:
    """Return ids near to the seeds or to their centroid in any layer that counts, ascending, and whether all are."""
    fetched, complete = [], True
    for layer in query.layers:
        if not layer.weights.any():
            continue
        probes = layer.seeds[:PROBES]
        if len(layer.seeds) > 1:
            probes = np.concatenate([centroid(layer.seeds)[None, :], probes])
        share = -(-2 * size // (1 + len(probes))) if size < len(layer.index) else size
        # One more than needed shows whether there are more.
        exclude = query.exclude if query.allowed is None else None
        ids = layer.index.nearest(probes, share + 1, exclude, query.allowed)[1]
        complete = complete and ids.shape[1] <= share
        fetched.append(ids[:, :share].ravel())
    ids = unique(np.concatenate(fetched)) if fetched else np.empty(0, np.int64)
    indexes = {id(index): index for index in (query.vectors, *(layer.index for layer in query.layers))}
    if len(indexes) > 1:
        for index in indexes.values():
            ids = ids[index.has(ids)]
    return ids, complete


def score_candidates(query: Query, hubness: str, ids: Ids, vectors: Vectors) -> Array:
    """Score candidates (n,) with the embeddings (n, d).

    The score is the agreement of the candidate's similarities to the seeds, less the penalty for its similarity to
    negative seeds. A similarity is the cosine of two embeddings, or the weighted mean of cosines of facets, each
    corrected for hubness where `hubness` is mutual_proximity and the index has 50 tracks or more; the same sound stays
    at 1.
    """
    if not len(ids):
        return np.empty(0)
    similarity = np.zeros((len(query.layers[0].seeds), len(ids)))
    for layer in query.layers:
        if layer.weights.any():
            mine = vectors if layer.index is query.vectors else layer.index.vectors(ids)
            similarity += layer.weights[:, None] * layer_similarity(layer, query.exclude, hubness, ids, mine)
    return agreement(similarity) - negative_penalty(query, hubness, ids, vectors)


def agreement(similarity: Array) -> Array:
    """Return how well candidates agree with the seeds (candidates,), from similarities (seeds, candidates).

    The mean over the seeds, which alone would favour what is average to them all, and the similarity to the nearest
    seed, which alone would ignore the others, count one half each. With one seed it is that similarity.
    """
    return np.asarray((similarity.mean(axis=0) + similarity.max(axis=0)) / 2)


def negative_penalty(query: Query, hubness: str, ids: Ids, vectors: Vectors) -> Array:
    """Return the penalty (n,) of candidates with the embeddings (n, d) for negative seeds.

    AVOIDANCE times as much as the similarity to the nearest negative seed exceeds that of two random tracks.
    """
    if query.avoid is None or not len(query.avoid) or not len(vectors):
        return np.zeros(len(vectors))
    layer = Layer(query.vectors, query.avoid, np.ones(len(query.avoid)))
    nearest = layer_similarity(layer, query.exclude, hubness, ids, vectors).max(axis=0)
    return np.asarray(AVOIDANCE * np.maximum(nearest - query.vectors.moments.mean, 0.0))


def layer_similarity(layer: Layer, exclude: Collection[int], hubness: str, ids: Ids, vectors: Vectors) -> Array:
    """Return the similarities (seeds, n) of a layer's seeds to candidates (n,), whose vectors are (n, d)."""
    cosines: Array = layer.seeds.astype(np.float64) @ vectors.T.astype(np.float64)
    moments = layer.index.moments if hubness == "mutual_proximity" else None
    if moments is None or moments.count < LEAST_CORRECTED:
        return cosines
    of_seeds = moments.similarity_moments(layer.seeds, are_members(layer, exclude))
    corrected = mutual_proximity(cosines, of_seeds, layer.index.similarity_moments(ids), moments)
    # The same sound is the same sound, whether or not it is a hub.
    return np.where(cosines > 1 - SAME, np.maximum(corrected, 1.0), corrected)


def mutual_proximity(
    similarity: Array, of_queries: tuple[Array, Array], of_candidates: tuple[Array, Array], moments: VectorMoments
) -> Array:
    """Correct similarities (queries, candidates) for hubness, on the scale of a cosine.

    Gaussian mutual proximity (Schnitzer et al. 2012): the chance that a random track is farther from the query than the
    candidate is, times the chance that one is farther from the candidate than the query is; each track's similarities
    to all others are assumed to be normally distributed, with the mean and deviation given. The geometric mean of both
    chances is turned back into the similarity that it would mean between two tracks of average mean and deviation: of
    two such, the result is their cosine. It can exceed 1 where both lie far from all others; rankings keep that, what
    is shown is cut to 1.
    """
    tails = [
        upper_tail((similarity - mean) / deviation)
        for mean, deviation in ((each[:, None] for each in of_queries), of_candidates)
    ]
    # In tails, for the chances of near neighbours round to 1.
    both = -np.expm1(0.5 * (np.log1p(-np.minimum(tails[0], 1 - 1e-16)) + np.log1p(-np.minimum(tails[1], 1 - 1e-16))))
    return moments.mean + moments.deviation * deviations_from(both)


def upper_tail(z: Array) -> Array:
    """Return the chance that a standard normal number exceeds each of these.

    In Python, as the inverse below: to import scipy.special takes 0.4 s, longer than a query.
    """
    chances = np.array([math.erfc(each) for each in (z * math.sqrt(0.5)).ravel().tolist()], np.float64)
    return 0.5 * chances.reshape(z.shape)


def deviations_from(tail: Array) -> Array:
    """Invert `upper_tail`."""
    inverse = NormalDist().inv_cdf
    within = np.clip(tail, FARTHEST, 1 - 1e-16).ravel().tolist()
    return -np.array([inverse(each) for each in within], np.float64).reshape(tail.shape)


def are_members(layer: Layer, exclude: Collection[int]) -> NDArray[np.bool_]:
    """Return which seeds are in the index themselves; they are among the excluded ids."""
    if len(exclude) > MOST_COMPARED:
        return np.ones(len(layer.seeds), bool)
    ids = np.fromiter(exclude, np.int64)
    vectors = layer.index.vectors(ids[layer.index.has(ids)])
    if not len(vectors):
        return np.zeros(len(layer.seeds), bool)
    return np.asarray((layer.seeds @ vectors.T).max(axis=1) > 1 - SAME)
