"""How `beet similar` ranks: facets, fields, variety, feedback, hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from beets.exceptions import UserError

from resonance_engine.errors import ConfigError
from tests.plugin.synthetic_tracks import EVERY, FACETS, rank, tags_of, unit

if TYPE_CHECKING:
    from tests.plugin.synthetic_library import SyntheticLibrary
    from tests.plugin.synthetic_tracks import Array

SEED = 36
SWING = 0.1


def by_facets(library: SyntheticLibrary, weights: dict[str, float], seed: int = SEED) -> Array:
    """The mean of the facets' cosines, weighted by weight times the facet's share in the seed."""
    shares = library.plan.gates[seed - 1] ** 2
    counted = shares * [weights.get(facet, 1.0) for facet in FACETS]
    cosines = [library.plan.facets[facet] @ library.plan.facets[facet][seed - 1] for facet in FACETS]
    return np.asarray(counted @ np.array(cosines) / counted.sum())


@pytest.mark.parametrize(
    "weights", [{"rhythm": 2.0, "timbre": 0.5}, {"semantic": 0.0}, {"timbre": 0.0, "harmony": 0.0, "semantic": 0.0}]
)
def test_weights(library: SyntheticLibrary, weights: dict[str, float]) -> None:
    asked = " , ".join(f"{facet} = {weight:g}" for facet, weight in weights.items())
    scores = by_facets(library, weights)
    found = library.find(f"id:{SEED}", **EVERY, weights=asked)
    assert [hit.item_id for hit in found.hits] == rank(scores, [SEED])
    assert found.hits[0].score == pytest.approx(np.delete(scores, SEED - 1).max(), abs=2e-3)


def test_one_facet_above_all(library: SyntheticLibrary) -> None:
    """It makes up three quarters of the similarity."""
    shares = library.plan.gates[SEED - 1] ** 2 / (library.plan.gates[SEED - 1] ** 2).sum()
    for facet, share in zip(FACETS, shares.tolist(), strict=True):
        scores = by_facets(library, {facet: 3 * (1 - share) / share})
        assert library.ids(f"id:{SEED}", **EVERY, like=facet) == rank(scores, [SEED])
    both = shares[1] + shares[2]
    scores = by_facets(library, dict.fromkeys(("harmony", "rhythm"), 3 * (1 - both) / both))
    assert library.ids(f"id:{SEED}", **EVERY, like="rhythm, harmony") == rank(scores, [SEED])


def test_facets_that_there_are_not(library: SyntheticLibrary) -> None:
    known = "it has timbre, harmony, rhythm, semantic"
    meant = "The model has no facet 'rythm'; did you mean rhythm?"
    assert library.refused("--like", "rythm", "id:1") == f"similar: --like: {meant}"
    # As of a model that is older than the facet.
    other = "instrumentation"
    refused = library.refused("--like", other, "id:1")
    assert refused == f"similar: --like: The model has no facet 'instrumentation'; {known}"
    assert library.refused("--weights", "rythm=1", "id:1") == f"similar: --weights: {meant}"
    nothing = ",".join(f"{facet}=0" for facet in FACETS)
    assert library.refused("--weights", nothing, "id:1").startswith("similar: --weights: All facets weigh 0")
    with pytest.raises(ConfigError, match="--weights and --like both weigh"):
        library.find("id:1", weights="rhythm=2", like="rhythm")


def test_a_track_whose_facets_are_not_known(library: SyntheticLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resonance_engine.store.vectors.VectorTable.gates", lambda *_: {})
    with pytest.raises(UserError, match="no facets are known of a track to start from"):
        library.find("id:1", like="rhythm")


@pytest.mark.parametrize("strength", [1.0, -0.5, 10.0])
def test_a_field_that_is_preferred(library: SyntheticLibrary, strength: float) -> None:
    """By its rank, half of the swing up or down; what has none, or no number in it, stays where it is."""
    values = {each: each * 7 % 11 for each in range(2, 61, 2) if each not in (4, SEED)}
    ranks = {
        value: place / (len({*values.values()}) - 1) - 0.5 for place, value in enumerate(sorted({*values.values()}))
    }
    assert 0 in ranks
    cosines = library.near(SEED)[0]
    boost = np.array([SWING * strength * ranks[values[each]] if each in values else 0.0 for each in range(1, 61)])
    found = library.find(f"id:{SEED}", **EVERY, prefer=f"play_count={strength}")
    assert [hit.item_id for hit in found.hits] == rank(cosines + boost, [SEED])
    # The score stays the score.
    assert [hit.score for hit in found.hits] == pytest.approx(
        [cosines[hit.item_id - 1] for hit in found.hits], abs=1e-5
    )
    assert not found.notes


def test_a_field_of_beets_own(library: SyntheticLibrary) -> None:
    years = np.array([tags_of(each)["year"] for each in range(1, 61)], float)
    boost = SWING * 4 * (np.argsort(np.argsort(np.where(np.arange(60) == SEED - 1, 0, years))) - 1) / 58
    assert library.ids(f"id:{SEED}", **EVERY, prefer="year=4") == rank(library.near(SEED)[0] + boost, [SEED])


@pytest.mark.parametrize(("field", "meant"), [("playcount", "; did you mean play_count?"), ("title", "")])
def test_a_field_without_numbers_is_named(library: SyntheticLibrary, field: str, meant: str) -> None:
    said = library.beet("--prefer", field, "-n", "3", f"id:{SEED}")
    assert said.notes[1:] == [f"no track here has a number in the field {field}, so --prefer changes nothing{meant}"]


@pytest.mark.parametrize("weight", [0.3, 0.7, 1.0])
def test_variety(library: SyntheticLibrary, weight: float) -> None:
    """Carbonell & Goldstein 1998, step by step."""
    cosines, left = library.near(SEED)[0], {*range(1, 61)} - {SEED}
    expected: list[int] = []
    while left:
        gains = {
            each: (1 - weight) * cosines[each - 1]
            - weight * max(library.plan.cosines[each - 1][o - 1] for o in expected)
            if expected
            else (1 - weight) * cosines[each - 1]
            for each in left
        }
        # At 1 the first may be any; it is the one that is closest.
        best = max(gains, key=lambda each: (gains[each], cosines[each - 1]))
        expected.append(best)
        left.remove(best)
    asked = {**EVERY, "count": 12}
    assert library.ids(f"id:{SEED}", **asked, lambda_div=weight) == expected[:12]
    assert library.ids(f"id:{SEED}", **asked, lambda_div=weight, rerank="mmr") == expected[:12]


@pytest.mark.parametrize("hits", [1, 4])
def test_feedback(library: SyntheticLibrary, hits: int) -> None:
    """The query moves to the mean of itself and its first hits."""
    vectors, first = library.plan.vectors, rank(library.near(SEED)[0], [SEED])[:hits]
    moved = unit(vectors[SEED - 1] + vectors[[each - 1 for each in first]].sum(axis=0))
    assert library.ids(f"id:{SEED}", **EVERY, prf=hits) == rank(vectors @ moved, [SEED])


@pytest.mark.parametrize(("wanted", "notes"), [(60, []), (61, ["--prf 61 takes all of the 60 other tracks"])])
def test_more_hits_for_feedback_than_there_are_tracks(library: SyntheticLibrary, wanted: int, notes: list[str]) -> None:
    result = library.find(f"id:{SEED}", **EVERY, prf=wanted)
    assert [note.partition(",")[0] for note in result.notes if "--prf" in note] == notes


def test_hubs_can_stay(library: SyntheticLibrary) -> None:
    usual = {**EVERY, "hubness": None}
    plain, corrected = library.ids(f"id:{SEED}", **EVERY), library.ids(f"id:{SEED}", **usual)
    assert plain != corrected == library.ids(f"id:{SEED}", **{**usual, "hubness": "mutual_proximity"})


@pytest.mark.parametrize(
    "options",
    [
        {"rerank": "best"},
        {"combine": "mean"},
        {"hubness": "local"},
        {"prf": -1},
        {"lambda_div": 1.5},
        {"lambda_div": 0.5, "rerank": "none"},
    ],
)
def test_what_ranking_does_not_know(library: SyntheticLibrary, options: dict[str, object]) -> None:
    names = [f"--{name.replace('_', '-')}" for name in options]
    arguments = [word for name, value in zip(names, options.values(), strict=True) for word in (name, str(value))]
    assert names[0] in library.refused(*arguments, "id:1")
