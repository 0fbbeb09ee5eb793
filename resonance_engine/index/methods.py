"""Methods of search: how vectors are laid out for it, which one fits how many vectors, and what recall it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.candidates import FloatSearch, RoundedSearch, RoundedVectors
from resonance_engine.index.inverted_lists import ListSearch, assign_lists, list_count, train_centroids
from resonance_engine.index.segment import Segment
from resonance_engine.index.vector_rows import VectorRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.index.candidates import CandidateSearch
    from resonance_engine.store.records import Ids, Matrix

    Halves = NDArray[np.float16]

AUTO, FLOAT32, FLOAT16, INT8, IVF = "auto", "float32", "float16", "int8", "ivf"
METHODS = (FLOAT32, FLOAT16, INT8, IVF)
APPROXIMATE_FROM = 200_000  # vectors: an exact search of fewer takes some milliseconds
LEAST_RECALL = 0.99  # of the nearest NEIGHBOURS; with less, an approximate method is not used
TUNED_RECALL = 0.995  # that a sample shows, half of the loss being left for what it does not show
NEIGHBOURS = 100  # as many as a ranking chooses a list of 20 among
SAMPLE = 128  # vectors of the index as queries
FEWEST_PROBES = 8
MOST_PROBED = 0.25  # share of the lists, beyond which an exact search takes as long
RETRAINED = 2.0  # times as many vectors as centroids were computed from


@dataclass(frozen=True)
class IndexMethod:
    """A method as it is used: its `name`, and what was `requested` and gave way to it, else the same.

    `recall` is what the requested one reached on a sample, 1 for an exact one, with `probes` lists a query, of
    centroids computed from `trained` vectors.
    """

    name: str = INT8
    requested: str = INT8
    recall: float = 1.0
    probes: int = 0
    trained: int = 0

    @property
    def is_exact(self) -> bool:
        return self.name != IVF

    def describe(self) -> str:
        """Return the method and its recall as a clause."""
        if self.name == IVF:
            return f"ivf, {self.recall:.1%} of the nearest {NEIGHBOURS} in a sample of searches"
        missed = f"; ivf reached {self.recall:.1%} of the nearest {NEIGHBOURS}" if self.requested == IVF else ""
        return f"{self.name}, exact{missed}"


EXACT = IndexMethod()


def choose_method(setting: str, count: int) -> str:
    """Return the method for so many vectors: that of the setting, or with `auto` one by their number."""
    if setting != AUTO:
        return setting
    return IVF if count >= APPROXIMATE_FROM else INT8


def build_segment(ids: Ids, halves: Halves, method: str = INT8) -> Segment:
    """Lay out vectors (n, d) under ascending ids (n,) for a method of exact search."""
    vectors = VectorRows(halves)
    search: CandidateSearch
    search = RoundedSearch(RoundedVectors.of(vectors)) if method == INT8 else FloatSearch(vectors, method == FLOAT32)
    return Segment(ids, vectors, search, search)


def build_requested(
    ids: Ids, halves: Halves, requested: str, centroids: Matrix | None = None, trained: int = 0
) -> tuple[Segment, IndexMethod]:
    """Lay out vectors (n, d) under ascending ids (n,) for a method, or for the exact one where its recall is too low.

    The `centroids` of an earlier layout serve again, unless the number of vectors has changed much since.
    """
    if requested != IVF or not len(ids):
        return build_segment(ids, halves, requested), IndexMethod(requested, requested)
    changed = max(len(ids), trained) / max(min(len(ids), trained), 1)
    if centroids is None or changed > RETRAINED:
        centroids, trained = train_centroids(VectorRows(halves), min(list_count(len(ids)), len(ids))), len(ids)
    segment, search = build_lists(ids, halves, centroids)
    probes, recall = tune_probes(segment, search)
    method = IndexMethod(IVF, IVF, recall, probes, trained)
    if recall < LEAST_RECALL:
        return build_segment(ids, halves, INT8), replace(method, name=INT8, probes=0)
    return segment, method


def build_lists(ids: Ids, halves: Halves, centroids: Matrix) -> tuple[Segment, ListSearch]:
    """Lay out vectors in lists by their nearest centroids."""
    lists = assign_lists(VectorRows(halves), centroids)
    order = np.argsort(lists, kind="stable")
    bounds = np.searchsorted(lists[order], np.arange(len(centroids) + 1))
    places = np.empty(len(order), np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    vectors = VectorRows(halves[order])
    search = ListSearch(RoundedVectors.of(vectors, bounds), centroids, FEWEST_PROBES)
    return Segment(ids, vectors, search, search.exhaustive, order.astype(np.int32), places), search


def tune_probes(segment: Segment, search: ListSearch) -> tuple[int, float]:
    """Double the lists that a search reads until the recall of a sample suffices; return their number and the recall.

    The recall is the share of the nearest neighbours by brute force that a search finds, of vectors of the index, which
    do not count as their own neighbours.
    """
    rows = np.unique(np.linspace(0, len(segment.ids) - 1, min(SAMPLE, len(segment.ids))).round().astype(np.int64))
    queries, count = segment.vectors.take(rows), min(NEIGHBOURS + 1, len(segment.ids))
    brute = Segment(segment.ids, segment.vectors, segment.exhaustive, segment.exhaustive)
    nearest = brute.best(queries, count)[1]
    most = max(int(MOST_PROBED * len(search.centroids)), FEWEST_PROBES)
    while True:
        recall = measure_recall(rows, nearest, segment.best(queries, count)[1])
        if recall >= TUNED_RECALL or 2 * search.probes > most:
            return search.probes, recall
        search.probes *= 2


def measure_recall(own: Ids, nearest: Ids, hits: Ids) -> float:
    """Return the mean share of `nearest` (q, k) that is among `hits` (q, k), without queries' `own` rows (q,)."""
    shares = [
        len(np.intersect1d(hit, near[near != row])) / max(int(np.count_nonzero(near != row)), 1)
        for row, near, hit in zip(own, nearest, hits, strict=True)
    ]
    return float(np.mean(shares)) if shares else 1.0
