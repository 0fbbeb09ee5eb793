"""Feedback and diversity, measured with the search that answers users, against the formulas written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from resonance_engine.evaluation.evaluate import FIRST, PLAIN, RANKINGS, SHOWN, evaluate_ranking, mean_cosine
from resonance_engine.evaluation.metrics import ranked_relevance, recall_at, reciprocal_rank, same_label
from tests.embeddings import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT = 150
LABELS = [str(i // 4) for i in range(COUNT - 2)] + ["", "only"]
ARTISTS = [str(i % 9) for i in range(COUNT)]
RELEVANCE = same_label(LABELS, ARTISTS)


def vectors() -> NDArray[np.float32]:
    """Vectors as the index keeps them, near those of their label."""
    made = unit_vectors(COUNT, seed=0) + 0.8 * unit_vectors(COUNT, seed=1)[[i // 4 for i in range(COUNT)]]
    made = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
    return np.asarray(made, np.float32)


def closeness(space: NDArray[np.float32], wanted: NDArray[np.float64], corrected: bool) -> NDArray[np.float64]:
    """Cosines of all tracks with a query, or their mutual proximity on the same scale (a track is none of its own)."""
    cosines = space.astype(np.float64) @ wanted
    if not corrected:
        return cosines
    between = space.astype(np.float64) @ space.T.astype(np.float64)
    others = np.where(np.eye(COUNT, dtype=bool), np.nan, between)
    is_track = np.isclose(cosines, 1.0, atol=1e-3)
    to_query = cosines[~is_track]
    chances = ndtr((cosines - to_query.mean()) / to_query.std())
    chances *= ndtr((cosines - np.nanmean(others, axis=1)) / np.nanstd(others, axis=1))
    return np.asarray(np.nanmean(others) + np.nanstd(others) * ndtri(np.sqrt(chances)))


def naive(space: NDArray[np.float32], query: int, prf: int, mmr: bool, corrected: bool) -> list[int]:
    """The first 20 by the formulas: q' = (q + e_1 + ... + e_n) / (n + 1); MMR with 0.3 for diversity."""
    allowed = np.flatnonzero(RELEVANCE.allowed[query])
    wanted = space[query].astype(np.float64)
    near = closeness(space, wanted, corrected)
    if prf:
        nearest = sorted(allowed, key=lambda i: -near[i])[:prf]
        wanted = wanted + space[nearest].sum(axis=0)
        wanted /= np.linalg.norm(wanted)
        near = closeness(space, wanted, corrected)
    order = sorted(allowed, key=lambda i: -near[i])
    if not mmr:
        return [int(i) for i in order[:SHOWN]]
    # The pool is of what is nearest before the correction.
    first = sorted(allowed, key=lambda i: -float(space[i] @ wanted))[: 5 * SHOWN]
    pool = [i for i in order if i in first]
    chosen: list[int] = []
    while len(chosen) < SHOWN:
        best = max(
            (i for i in pool if i not in chosen),
            key=lambda i: 0.7 * near[i] - 0.3 * max((float(space[i] @ space[j]) for j in chosen), default=0.0),
        )
        chosen.append(int(best))
    return [int(i) for i in chosen]


@pytest.mark.parametrize("name", RANKINGS)
def test_against_the_formulas(name: str) -> None:
    space, ranking = vectors(), RANKINGS[name]
    found = evaluate_ranking(space, RELEVANCE, ranking)
    for query in range(0, COUNT, 25):
        expected = naive(space, query, ranking.prf, ranking.rerank == "mmr", ranking.hubness == "mutual_proximity")
        places = [place for place, i in enumerate(expected, start=1) if LABELS[i] == LABELS[query] != ""]
        assert found.recall[query] == any(place <= FIRST for place in places)
        assert found.reciprocal_rank[query] == pytest.approx(1 / places[0] if places else 0.0)
        cosines = [float(space[i] @ space[j]) for i in expected for j in expected if i != j]
        assert found.alike[query] == pytest.approx(np.mean(cosines), abs=1e-5)
    assert 0.1 < np.nanmean(found.recall) < 0.9


def test_plain_is_the_ranking_that_the_other_metrics_see() -> None:
    space = vectors()
    found = evaluate_ranking(space, RELEVANCE, RANKINGS[PLAIN])
    hits, _ = ranked_relevance((space @ space.T).astype(np.float64), RELEVANCE)
    np.testing.assert_array_equal(found.recall, recall_at(hits, 5))
    whole = reciprocal_rank(hits)
    np.testing.assert_allclose(found.reciprocal_rank, np.where(whole < 1 / SHOWN, 0.0, whole))


def test_of_very_many_queries_some_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_ranking(vectors(), RELEVANCE, RANKINGS[PLAIN])
    monkeypatch.setattr("resonance_engine.evaluation.evaluate.MOST_QUERIES", 20)
    some = evaluate_ranking(vectors(), RELEVANCE, RANKINGS[PLAIN])
    asked = ~np.isnan(some.recall)
    assert asked.sum() == 20
    np.testing.assert_array_equal(some.recall[asked], whole.recall[asked])


def test_queries_that_nothing_answers_are_not_asked() -> None:
    found = evaluate_ranking(vectors(), RELEVANCE, RANKINGS[PLAIN])
    assert np.isnan(found.recall[-2:]).all()
    assert not np.isnan(found.recall[:-2]).any()


def test_diversity_makes_lists_less_alike() -> None:
    space = vectors()
    plain, diverse = (evaluate_ranking(space, RELEVANCE, RANKINGS[name]) for name in (PLAIN, "MMR 0.3"))
    assert np.nanmean(diverse.alike) < np.nanmean(plain.alike)


def test_one_track_is_like_nothing() -> None:
    assert np.isnan(mean_cosine(np.ones((1, 2), np.float32)))
