"""Weights by facet: the formula, its spelling, and that weights of one are the plain ranking."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.errors import ConfigError
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.facets import FOCUS, facet_query, focus_weights, gate_shares, parse_weights
from resonance_engine.search.ranking import Ranking, query, rank_by_similarity
from tests.embeddings import stored, unit_vectors

FACETS = ("timbre", "harmony", "rhythm")
COUNT = 150
GATES = [{"timbre": 0.5, "harmony": 0.3, "rhythm": 0.2}, {"timbre": 0.2, "harmony": 0.2, "rhythm": 0.6}]
HEARD = {name: stored(unit_vectors(COUNT, seed=number)) for number, name in enumerate(FACETS)}
# As a model that gates its facets by the same numbers fuses them, in orthogonal parts.
WHOLE = np.concatenate([GATES[0][name] * HEARD[name] for name in FACETS], axis=1)
WHOLE = stored(WHOLE / np.linalg.norm(WHOLE, axis=1, keepdims=True))
VECTORS = VectorIndex(np.arange(COUNT), WHOLE)
INDEXES = {name: VectorIndex(np.arange(COUNT), heard) for name, heard in HEARD.items()}
PLAIN = Ranking(hubness="none")


def seeds(count: int) -> dict[str, np.ndarray]:
    return {name: heard[:count] for name, heard in HEARD.items()}


def test_the_formula() -> None:
    weights = {"timbre": 1.0, "harmony": 0.5, "rhythm": 2.0}
    pool = rank_by_similarity(facet_query(VECTORS, INDEXES, seeds(2), GATES, weights, [0, 1]), PLAIN, COUNT)
    assert len(pool.ids) == COUNT - 2
    for candidate, score in zip(pool.ids, pool.scores, strict=True):
        found = []
        for seed, gates in enumerate(GATES):
            parts = {name: weights[name] * gates[name] ** 2 for name in FACETS}
            cosines = {name: float(HEARD[name][seed] @ HEARD[name][candidate]) for name in FACETS}
            found.append(sum(parts[name] * cosines[name] for name in FACETS) / sum(parts.values()))
        assert score == pytest.approx((np.mean(found) + max(found)) / 2, abs=1e-5)


def test_weights_of_one_are_the_plain_ranking() -> None:
    weighted = rank_by_similarity(facet_query(VECTORS, INDEXES, seeds(1), GATES[:1], {}, [0]), PLAIN, COUNT)
    plain = rank_by_similarity(query(VECTORS, WHOLE[:1], [0]), PLAIN, COUNT)
    np.testing.assert_allclose(weighted.scores, plain.scores, atol=1e-3)


def test_a_single_facet_is_its_own_ranking() -> None:
    only = dict.fromkeys(FACETS, 0.0) | {"rhythm": 2.0}
    pool = rank_by_similarity(facet_query(VECTORS, INDEXES, seeds(1), GATES[:1], only, [0], range(60)), PLAIN, 20)
    expected = INDEXES["rhythm"].nearest(HEARD["rhythm"][:1], 20, [0], range(60))
    np.testing.assert_array_equal(pool.ids[:20], expected[1][0])
    np.testing.assert_allclose(pool.scores[:20], expected[0][0], atol=1e-6)


def test_focus_is_three_quarters() -> None:
    weights = focus_weights(["rhythm"], GATES)
    share = {name: np.mean([gate_shares(each)[name] for each in GATES]) for name in FACETS}
    parts = {name: weights[name] * share[name] for name in FACETS}
    assert parts["rhythm"] / sum(parts.values()) == pytest.approx(FOCUS)
    assert weights["timbre"] == weights["harmony"] == 1.0


def test_spelling() -> None:
    assert parse_weights("timbre=0.5, rhythm=2", FACETS) == {"timbre": 0.5, "harmony": 1.0, "rhythm": 2.0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mood=1", "no facet 'mood'; it has timbre, harmony, rhythm"),
        ("", "no facet ''"),
        ("timbre", "must be a number, as in timbre=2, not 'timbre'"),
        ("timbre=loud", "must be a number"),
        ("timbre=-1", "0 or more, not -1"),
        ("timbre=nan", "0 or more, not nan"),
        ("timbre=inf", "0 or more, not inf"),
        ("timbre=0,harmony=0,rhythm=0", "nothing is left to compare"),
    ],
)
def test_what_is_no_weight_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_weights(text, FACETS)


def test_a_facet_that_the_model_lacks() -> None:
    with pytest.raises(ConfigError, match="no facet 'mood'"):
        focus_weights(["mood"], GATES)
    with pytest.raises(ConfigError, match="gives no weight to rhythm"):
        focus_weights(["rhythm"], [{"timbre": 1.0, "rhythm": 0.0}])
