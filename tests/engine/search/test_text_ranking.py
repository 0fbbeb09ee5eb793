"""Candidates by words, alone and beside seeds, in a library too large to look at every track."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import AVOIDANCE, Ranking, query, refine
from resonance_engine.search.text.scoring import TextFit, rank_by_text, rank_by_text_and_seeds, share_below
from tests.embeddings import stored, unit_vectors

COUNT, SIZE = 2_000, 100
IDS = np.arange(10, 10 + 3 * COUNT, 3)
PLAIN = Ranking(count=10, hubness="none")


@pytest.fixture(scope="module")
def index() -> VectorIndex:
    return VectorIndex(IDS, unit_vectors(COUNT, seed=3))


@pytest.fixture(scope="module")
def text_fit() -> TextFit:
    return TextFit(IDS, np.random.default_rng(4).standard_normal(COUNT))


def test_words_alone(index: VectorIndex, text_fit: TextFit) -> None:
    pool = rank_by_text(text_fit, query(index, np.empty((0, index.dimensions), np.float32)), PLAIN, SIZE)
    best = np.argsort(-text_fit.fit)[:SIZE]
    assert pool.ids.tolist() == IDS[best].tolist()
    assert pool.scores == pytest.approx([NormalDist().cdf(fit) for fit in text_fit.fit[best]])
    assert not pool.complete
    assert rank_by_text(text_fit, query(index, index.vectors(IDS[:1])), PLAIN, COUNT).complete


def test_words_alone_and_what_to_keep_away_from(index: VectorIndex, text_fit: TextFit) -> None:
    away = index.vectors(IDS[:2])
    asked = query(index, np.empty((0, index.dimensions), np.float32), IDS[:2].tolist(), avoid=away)
    pool = rank_by_text(text_fit.restrict(asked), asked, PLAIN, COUNT)
    vectors = stored(unit_vectors(COUNT, seed=3)).astype(np.float64)
    cosines = vectors @ vectors.T
    average = (cosines.sum() - np.trace(cosines)) / (COUNT * (COUNT - 1))
    near = np.maximum(cosines[:2].max(axis=0) - average, 0.0)
    scores = share_below(text_fit.fit) - AVOIDANCE * near
    expected = [each for each in IDS[np.argsort(-scores)].tolist() if each not in IDS[:2]]
    assert pool.ids.tolist() == expected
    assert pool.scores == pytest.approx(np.sort(scores[2:])[::-1], abs=1e-5)


@pytest.mark.parametrize("seeds", [1, 8])
def test_what_fits_best_is_judged_however_far_it_is_from_the_seeds(
    index: VectorIndex, text_fit: TextFit, seeds: int
) -> None:
    asked = query(index, index.vectors(IDS[:seeds]), IDS[:seeds].tolist())
    pool = rank_by_text_and_seeds(text_fit.restrict(asked), refine(asked, PLAIN), PLAIN, SIZE)
    fitting = [each for each in IDS[np.argsort(-text_fit.fit)].tolist() if each not in IDS[:seeds]][:SIZE]
    assert {*fitting} <= {*pool.ids.tolist()}
    assert not {*IDS[:seeds].tolist()} & {*pool.ids.tolist()}
    assert pool.scores.tolist() == sorted(pool.scores.tolist(), reverse=True)


def test_within_what_may_come_up(index: VectorIndex, text_fit: TextFit) -> None:
    asked = query(index, index.vectors(IDS[:1]), IDS[:5].tolist(), allowed=IDS[:50].tolist())
    found = text_fit.restrict(asked)
    assert found.ids.tolist() == IDS[5:50].tolist()
    assert found.of(IDS[4:6]).tolist() == [0.0, text_fit.fit[5]]
    assert TextFit(IDS[:0], text_fit.fit[:0]).of(IDS[:2]).tolist() == [0.0, 0.0]
