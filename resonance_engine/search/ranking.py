"""From seed vectors to the nearest tracks, ranked: candidates, their similarities, and what the seeds make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.index.distinct import distinct
from resonance_engine.search.agreement import agreement
from resonance_engine.search.diversity import mmr_order
from resonance_engine.search.feedback import centroid
from resonance_engine.search.hubness import mutual_proximity
from resonance_engine.search.query import NearestVectors, Query, Ranking, query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from resonance_engine.search.query import Layer

    Vectors = NDArray[np.float32]
    Array = NDArray[np.float64]

__all__ = ["CandidatePool", "NearestVectors", "Neighbour", "Ranking", "neighbours", "pooled", "sharpened"]

POOL = 5  # candidates per wanted track that diversity, corrections and rules choose among
LEAST_POOL = 100
GROWTH = 4
PROBES = 8  # seeds whose own neighbourhoods are searched, beside the centroid's; all seeds judge what is found
AVOIDANCE = 0.5
MOST_COMPARED = 512
LEAST_CORRECTED = 50  # tracks in an index; the distances to fewer say little about how one lies among them
SAME = 1e-3  # from 1, the cosine of a seed and itself as it is stored


class Neighbour(NamedTuple):
    """A track's vector id and its score: higher is closer, at most 1; see `pooled`."""

    id: int
    score: float


@dataclass(frozen=True, eq=False)
class CandidatePool:
    """Candidates, best first: `ids` (n,), `scores` (n,), embeddings `vectors` (n, d).

    `complete` says that nothing else may come up.
    """

    ids: NDArray[np.int64]
    scores: Array
    vectors: Vectors
    complete: bool


def neighbours(
    index: NearestVectors,
    seeds: Vectors,
    ranking: Ranking,
    exclude: Collection[int] = (),
    accept: Callable[[list[int]], set[int]] = set,
) -> list[Neighbour]:
    """The tracks nearest to the seeds (n, d), best first, without `exclude`.

    `accept` says which of some vector ids may appear; where it turns some down, more are fetched, so that the list
    is short only when the index is exhausted or `min_score` is not reached.
    """
    asked = query(index, seeds, exclude).condensed(ranking.combine)
    known: dict[int, bool] = {}

    def accepted(asked: Query, count: int) -> CandidatePool:
        size = first_size(ranking)
        while True:
            pool = pooled(asked, ranking, size)
            new = [each for each in pool.ids.tolist() if each not in known]
            good = accept(new) if new else set()
            known.update((each, each in good) for each in new)
            kept = np.array([known[each] for each in pool.ids.tolist()], bool)
            if pool.complete or kept.sum() >= count:
                return CandidatePool(pool.ids[kept], pool.scores[kept], pool.vectors[kept], pool.complete)
            size *= GROWTH

    if ranking.prf:
        asked = asked.sharpened(accepted(asked, ranking.prf).ids[: ranking.prf])
    pool = accepted(asked, 2 * ranking.count if ranking.diversity else ranking.count)
    order = mmr_order(pool.scores, pool.vectors, ranking.count, ranking.diversity)
    least = -np.inf if ranking.min_score is None else ranking.min_score
    return [Neighbour(int(pool.ids[i]), shown(pool.scores[i])) for i in order if pool.scores[i] >= least]


def first_size(ranking: Ranking) -> int:
    """How many candidates to begin with."""
    return max(POOL * ranking.count, ranking.prf, LEAST_POOL)


def shown(score: float) -> float:
    """A score as it is printed: what the corrections lift above 1 is 1."""
    return min(float(score), 1.0)


def sharpened(asked: Query, ranking: Ranking) -> Query:
    """The query ready for `pooled`: its seeds condensed, and moved towards its first `prf` hits."""
    asked = asked.condensed(ranking.combine)
    if not ranking.prf:
        return asked
    return asked.sharpened(pooled(asked, ranking, first_size(ranking)).ids[: ranking.prf])


def pooled(asked: Query, ranking: Ranking, size: int) -> CandidatePool:
    """About `size` candidates for a condensed query, ranked; a larger pool can differ towards its end.

    The score is the agreement of the candidate's similarities to the seeds, less AVOIDANCE times what its similarity to
    the nearest negative seed exceeds that of two random tracks by. A similarity is the cosine of two embeddings, or
    the weighted mean of cosines of facets, each freed of hubs where `ranking.hubness` says so and the index has 50
    tracks or more; the same sound stays at 1.
    """
    ids, complete = candidates(asked, size)
    vectors = asked.vectors.vectors(ids)
    scores = agreement(similarity(asked, ranking.hubness, ids, vectors)) if len(ids) else np.empty(0)
    scores = scores - aversion(asked, ranking.hubness, vectors)
    order = np.lexsort((ids, -scores))
    return CandidatePool(ids[order], scores[order], vectors[order], complete)


def aversion(asked: Query, hubness: str, vectors: Vectors) -> Array:
    """What the scores of candidates (n, d) lose for their nearness to negative seeds."""
    if asked.avoid is None or not len(asked.avoid) or not len(vectors):
        return np.zeros(len(vectors))
    negative = query(asked.vectors, asked.avoid).layers[0]
    return AVOIDANCE * nearness(negative, asked.exclude, hubness, vectors)


def candidates(asked: Query, size: int) -> tuple[NDArray[np.int64], bool]:
    """Ids near to the seeds or to their centroid in any layer that counts, ascending, and whether these are all."""
    found, complete = [], True
    for layer in asked.layers:
        if not layer.weights.any():
            continue
        probes = layer.seeds[:PROBES]
        if len(layer.seeds) > 1:
            probes = np.concatenate([centroid(layer.seeds)[None, :], probes])
        share = -(-2 * size // (1 + len(probes))) if size < len(layer.index) else size
        # One more than wanted tells whether there are more.
        ids = layer.index.nearest(probes, share + 1, exclude=asked.exclude, allowed=asked.allowed)[1]
        complete = complete and ids.shape[1] <= share
        found.append(ids[:, :share].ravel())
    ids = distinct(np.concatenate(found)) if found else np.empty(0, np.int64)
    for index in {id(each.index): each.index for each in asked.layers}.values():
        ids = ids[index.has(ids)]
    return ids[asked.vectors.has(ids)], complete


def similarity(asked: Query, hubness: str, ids: NDArray[np.int64], vectors: Vectors) -> Array:
    """Similarities (seeds, ids): the layers' by their weights."""
    found = np.zeros((len(asked.layers[0].seeds), len(ids)))
    for layer in asked.layers:
        if layer.weights.any():
            there = vectors if layer.index is asked.vectors else layer.index.vectors(ids)
            found += layer.weights[:, None] * layer_similarity(layer, asked.exclude, hubness, there)
    return found


def layer_similarity(layer: Layer, exclude: Collection[int], hubness: str, vectors: Vectors) -> Array:
    cosines: Array = layer.seeds.astype(np.float64) @ vectors.T.astype(np.float64)
    moments = layer.index.moments if hubness == "mutual_proximity" else None
    if moments is None or moments.count < LEAST_CORRECTED:
        return cosines
    corrected = mutual_proximity(
        cosines,
        moments.similarity_moments(layer.seeds, members(layer, exclude)),
        moments.similarity_moments(vectors),
        moments,
    )
    # The same sound is the same sound, whether or not it is a hub.
    return np.where(cosines > 1 - SAME, np.maximum(corrected, 1.0), corrected)


def members(layer: Layer, exclude: Collection[int]) -> NDArray[np.bool_]:
    """Which seeds are in the index themselves; they are among what is excluded."""
    if len(exclude) > MOST_COMPARED:
        return np.ones(len(layer.seeds), bool)
    ids = np.fromiter(exclude, np.int64)
    known = layer.index.vectors(ids[layer.index.has(ids)])
    if not len(known):
        return np.zeros(len(layer.seeds), bool)
    return np.asarray((layer.seeds @ known.T).max(axis=1) > 1 - SAME)


def nearness(negative: Layer, exclude: Collection[int], hubness: str, vectors: Vectors) -> Array:
    """How much nearer than two random tracks candidates (n, d) are to the nearest negative seed, at least 0."""
    near = layer_similarity(negative, exclude, hubness, vectors).max(axis=0)
    return np.asarray(np.maximum(near - negative.index.moments.mean, 0.0))
