"""From seed vectors to the nearest tracks, with feedback and diversity where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from resonance_engine.search.diversity import mmr_order
from resonance_engine.search.feedback import centroid, expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

POOL = 5  # candidates per wanted track that diversity chooses among
RERANKS = ("none", "mmr")


class Neighbour(NamedTuple):
    """A track's vector id and its closeness to the query: a cosine, higher is closer, 1.0 is the same sound."""

    id: int
    score: float


class NearestVectors(Protocol):
    """An index: the `k` nearest of each query, never padded, and the vectors behind some ids."""

    def nearest(
        self, queries: NDArray[np.float32], k: int, *, exclude: Collection[int] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Ranking:
    """How to rank: `count` tracks; `prf` hits that sharpen the query; `rerank` none or mmr with `lambda_div`."""

    count: int = 20
    prf: int = 0
    rerank: str = "none"
    lambda_div: float = 0.3

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"the number of tracks must be at least 1, not {self.count}")
        if self.prf < 0:
            raise ValueError(f"prf is a number of hits, 0 or more, not {self.prf}")
        if self.rerank not in RERANKS:
            raise ValueError(f"rerank must be one of {', '.join(RERANKS)}, not {self.rerank!r}")
        if not 0.0 <= self.lambda_div <= 1.0:
            raise ValueError(
                f"lambda_div must lie between 0 (similarity alone) and 1 (diversity alone), not {self.lambda_div}"
            )


def neighbours(
    index: NearestVectors,
    seeds: NDArray[np.float32],
    ranking: Ranking,
    exclude: Collection[int] = (),
    accept: Callable[[list[int]], set[int]] = set,
) -> list[Neighbour]:
    """The tracks nearest to the seeds (n, d), best first, without `exclude`.

    `accept` says which of some vector ids may appear; where it turns some down, more are fetched, so that the list
    is short only when the index is exhausted.
    """
    query = centroid(seeds)
    if ranking.prf:
        first = accepted(index, query, ranking.prf, exclude, accept)
        if first:
            query = expanded(query, index.vectors(np.array([each.id for each in first])))
    if ranking.rerank == "none":
        return accepted(index, query, ranking.count, exclude, accept)
    pool = accepted(index, query, POOL * ranking.count, exclude, accept)
    if not pool:
        return []
    scores = np.array([each.score for each in pool], np.float32)
    vectors = index.vectors(np.array([each.id for each in pool]))
    return [pool[i] for i in mmr_order(scores, vectors, ranking.count, ranking.lambda_div)]


def accepted(
    index: NearestVectors,
    query: NDArray[np.float32],
    count: int,
    exclude: Collection[int],
    accept: Callable[[list[int]], set[int]],
) -> list[Neighbour]:
    """The nearest `count` that `accept` lets through."""
    kept: list[Neighbour] = []
    seen, fetched = 0, 2 * count + 20
    while True:
        scores, ids = index.nearest(query[None, :], fetched, exclude=exclude)
        found = [Neighbour(int(i), float(s)) for i, s in zip(ids[0, seen:], scores[0, seen:], strict=True)]
        good = accept([each.id for each in found])
        kept += [each for each in found if each.id in good]
        if len(kept) >= count or len(ids[0]) < fetched:
            return kept[:count]
        seen, fetched = fetched, 4 * fetched
