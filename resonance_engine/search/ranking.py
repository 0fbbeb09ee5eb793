"""Candidates near the seeds of a query, scored: agreement of similarities, hubness correction, negative seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from resonance_engine.index.vector_index import unique
from resonance_engine.search.hubness import mutual_proximity
from resonance_engine.search.query import Layer
from resonance_engine.search.seed_sets import centroid

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from resonance_engine.search.query import Query, Ranking

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]
    Ids = NDArray[np.int64]

PROBES = 8  # seeds whose own neighbourhoods are searched, beside the centroid's; all seeds score what is fetched
AVOIDANCE = 0.5
MOST_COMPARED = 512
LEAST_CORRECTED = 50  # tracks in an index; the distances to fewer do not show how one lies among them
SAME = 1e-3  # from 1, the cosine of a seed and itself as it is stored


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
    """Prepare a query for `rank_by_similarity`: condense its seeds, and move them towards its first `prf` hits."""
    query = query.condensed(ranking.combine)
    if not ranking.prf:
        return query
    return query.with_feedback(rank_by_similarity(query, ranking, ranking.pool_size).ids[: ranking.prf])


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
        ids = layer.index.nearest(probes, share + 1, exclude=query.exclude, allowed=query.allowed)[1]
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
            similarity += layer.weights[:, None] * layer_similarity(layer, query.exclude, hubness, mine)
    return agreement(similarity) - negative_penalty(query, hubness, vectors)


def agreement(similarity: Array) -> Array:
    """Return how well candidates agree with the seeds (candidates,), from similarities (seeds, candidates).

    The mean over the seeds, which alone would favour what is average to them all, and the similarity to the nearest
    seed, which alone would ignore the others, count one half each. With one seed it is that similarity.
    """
    return np.asarray((similarity.mean(axis=0) + similarity.max(axis=0)) / 2)


def negative_penalty(query: Query, hubness: str, vectors: Vectors) -> Array:
    """Return the penalty (n,) of candidates (n, d) for negative seeds.

    AVOIDANCE times as much as the similarity to the nearest negative seed exceeds that of two random tracks.
    """
    if query.avoid is None or not len(query.avoid) or not len(vectors):
        return np.zeros(len(vectors))
    layer = Layer(query.vectors, query.avoid, np.ones(len(query.avoid)))
    nearest = layer_similarity(layer, query.exclude, hubness, vectors).max(axis=0)
    return np.asarray(AVOIDANCE * np.maximum(nearest - query.vectors.moments.mean, 0.0))


def layer_similarity(layer: Layer, exclude: Collection[int], hubness: str, vectors: Vectors) -> Array:
    """Return the similarities (seeds, n) of a layer's seeds to candidates with the vectors (n, d)."""
    cosines: Array = layer.seeds.astype(np.float64) @ vectors.T.astype(np.float64)
    moments = layer.index.moments if hubness == "mutual_proximity" else None
    if moments is None or moments.count < LEAST_CORRECTED:
        return cosines
    of_seeds = moments.similarity_moments(layer.seeds, are_members(layer, exclude))
    corrected = mutual_proximity(cosines, of_seeds, moments.similarity_moments(vectors), moments)
    # The same sound is the same sound, whether or not it is a hub.
    return np.where(cosines > 1 - SAME, np.maximum(corrected, 1.0), corrected)


def are_members(layer: Layer, exclude: Collection[int]) -> NDArray[np.bool_]:
    """Return which seeds are in the index themselves; they are among the excluded ids."""
    if len(exclude) > MOST_COMPARED:
        return np.ones(len(layer.seeds), bool)
    ids = np.fromiter(exclude, np.int64)
    vectors = layer.index.vectors(ids[layer.index.has(ids)])
    if not len(vectors):
        return np.zeros(len(layer.seeds), bool)
    return np.asarray((layer.seeds @ vectors.T).max(axis=1) > 1 - SAME)
