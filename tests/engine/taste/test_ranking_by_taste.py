"""A search by a taste lists tracks in the order of their weighted similarities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.facets import facet_query
from resonance_engine.search.ranking import Ranking, refine
from resonance_engine.taste.features import PrincipalAxes
from resonance_engine.taste.taste import Taste, rank_by_taste
from tests.engine.taste.listeners import SHARES, make_features, taste_for

FEATURES = make_features()
COUNT = len(FEATURES.years)
EMBEDDING = np.concatenate([np.sqrt(share) * FEATURES.facets[name] for name, share in SHARES.items()], axis=1)
AXES = PrincipalAxes.fit(EMBEDDING, 4)
GATES = {name: float(np.sqrt(share)) for name, share in SHARES.items()}


def ranked(weights: np.ndarray, seed: int, size: int = COUNT) -> list[int]:
    taste = Taste(tuple(SHARES), weights, FEATURES.mean, FEATURES.deviation, AXES)
    indexes = {name: VectorIndex(np.arange(COUNT), facet) for name, facet in FEATURES.facets.items()}
    seeds = {name: facet[[seed]] for name, facet in FEATURES.facets.items()}
    whole = VectorIndex(np.arange(COUNT), EMBEDDING)
    query = facet_query(whole, indexes, seeds, [GATES], taste.facet_weights([GATES]), {seed})
    ranking = replace(Ranking(), hubness="none")
    of_seed = (EMBEDDING[[seed]], FEATURES.years[[seed]])
    pool = rank_by_taste(taste, of_seed, lambda ids: FEATURES.years[list(ids)], refine(query, ranking), ranking, size)
    assert len(pool.ids) == min(size, COUNT - 1)
    return pool.ids.tolist()


@pytest.mark.parametrize(
    "weights", [{"rhythm": 1.0, "timbre": 1.0}, {"rhythm": 1.0, "timbre": 0.3, "era": 0.5, "axis 2": 0.2}]
)
@pytest.mark.parametrize("seed", [0, 17])
def test_the_order_is_that_of_the_weighted_similarities(weights: dict[str, float], seed: int) -> None:
    values = taste_for(FEATURES, **weights)
    scores = FEATURES.to_all(seed) @ values
    places = ranked(values, seed)
    assert {*places, seed} == {*range(COUNT)}
    assert (np.diff(scores[places]) < 0.01).all(), "as exactly as an index of half precision allows"
    assert ranked(values, seed, 10) == places[:10]


def test_an_era_alone_orders_by_years() -> None:
    places = ranked(taste_for(FEATURES, era=1.0), 3, 20)
    distances = np.abs(FEATURES.years[places] - FEATURES.years[3])
    others = np.abs(np.delete(FEATURES.years, [3, *places]) - FEATURES.years[3])
    assert np.mean(distances) < np.mean(others) / 3


def test_unknown_years_take_no_part_in_the_scale() -> None:
    years = FEATURES.years.copy()
    years[::2] = np.nan
    axes = AXES.project(EMBEDDING)
    features = type(FEATURES).create(FEATURES.facets, SHARES, years, axes)
    place = features.names.index("era")
    assert features.mean[place] == pytest.approx(FEATURES.mean[place], abs=0.05)
    assert features.deviation[place] == pytest.approx(FEATURES.deviation[place], abs=0.05)
    assert features.of_pairs(np.array([0, 1]), np.array([1, 3]))[0, place] == 0.0
    nowhere = type(FEATURES).create(FEATURES.facets, SHARES, np.full(COUNT, np.nan), axes)
    assert (nowhere.to_all(0)[:, place] == 0.0).all()


def test_an_unknown_year_is_neither_near_nor_far() -> None:
    taste = Taste(tuple(SHARES), taste_for(FEATURES, era=1.0), FEATURES.mean, FEATURES.deviation, AXES)
    years = np.array([np.nan, 1990.0, 1961.0])
    added = taste.adjust((EMBEDDING[[0]], np.array([1990.0])), (EMBEDDING[:3], years))
    assert added[1] > added[0] > added[2]
    assert added[0] == 0.0
