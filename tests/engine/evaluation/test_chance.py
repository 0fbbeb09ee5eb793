"""What a random ranking gives, against all rankings that there are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from resonance_engine.evaluation import metrics

METRICS = {
    "recall@1": (lambda n, r: metrics.expected_recall(n, r, 1), lambda hits: metrics.recall_at(hits, 1)),
    "recall@3": (lambda n, r: metrics.expected_recall(n, r, 3), lambda hits: metrics.recall_at(hits, 3)),
    "rr": (metrics.expected_reciprocal_rank, metrics.reciprocal_rank),
    "ap": (metrics.expected_average_precision, metrics.average_precision),
}


@pytest.mark.parametrize("name", METRICS)
def test_it_is_the_mean_over_all_rankings(name: str) -> None:
    expected_of, metric = METRICS[name]
    counts = [(n, r) for n in range(1, 8) for r in range(1, n + 1)]
    candidates, relevant = (np.array(column) for column in zip(*counts, strict=True))
    for found, (n, r) in zip(expected_of(candidates, relevant), counts, strict=True):
        hits = np.zeros((0, n), bool)
        for places in combinations(range(n), r):
            row = np.zeros((1, n), bool)
            row[0, list(places)] = True
            hits = np.concatenate([hits, row])
        assert found == pytest.approx(metric(hits).mean())


@pytest.mark.parametrize("name", METRICS)
def test_a_query_that_nothing_answers_has_none(name: str) -> None:
    values = METRICS[name][0](np.array([5, 5, 0]), np.array([2, 0, 0]))
    assert np.isnan(values).tolist() == [False, True, True]
