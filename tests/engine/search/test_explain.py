"""Why a track was found: shares of facets that sum to one, and words that hold of both tracks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.search.explain import TrackProfile, common_traits, facet_shares, format_traits
from tests.embeddings import unit_vectors

NAMES = ("rock", "indie rock", "sad", "happy")
USUAL = np.linspace(0.01, 0.2, 40, dtype=np.float32)[:, None] * np.ones(4, np.float32)


def heard(angles: dict[str, float], gates: dict[str, float] | None = None) -> TrackProfile:
    """A track whose facets stand at these angles, in degrees."""
    facets = {
        name: np.array([np.cos(angle), np.sin(angle)], np.float32) for name, angle in
        ((name, np.radians(each)) for name, each in angles.items())
    }  # fmt: skip
    return TrackProfile(facets, gates or {}, {}, {})


def test_shares_are_the_weighted_cosines() -> None:
    one, other = heard({"timbre": 0, "rhythm": 0}), heard({"timbre": 0, "rhythm": 60})
    assert facet_shares(one, other) == pytest.approx({"timbre": 2 / 3, "rhythm": 1 / 3})
    assert facet_shares(one, other, {"rhythm": 4.0}) == pytest.approx({"timbre": 1 / 3, "rhythm": 2 / 3})
    assert facet_shares(one, other, {"timbre": 0.0}) == pytest.approx({"timbre": 0, "rhythm": 1})


def test_gates_of_both_tracks_count() -> None:
    one = heard({"timbre": 0, "rhythm": 0}, {"timbre": 0.8, "rhythm": 0.2})
    other = heard({"timbre": 0, "rhythm": 0}, {"timbre": 0.5, "rhythm": 0.5})
    assert facet_shares(one, other) == pytest.approx({"timbre": 0.8, "rhythm": 0.2})
    assert facet_shares(one, one) == pytest.approx({"timbre": 0.64 / 0.68, "rhythm": 0.04 / 0.68})


def test_they_are_those_of_a_concatenation() -> None:
    """With gated facets side by side, shares times the embeddings' cosine are each facet's part of it."""
    gates = ({"timbre": 0.6, "rhythm": 0.8}, {"timbre": 0.8, "rhythm": 0.6})
    one, other = heard({"timbre": 0, "rhythm": 0}, gates[0]), heard({"timbre": 30, "rhythm": 70}, gates[1])
    joined = [np.concatenate([each.gates[name] * each.facets[name] for name in each.facets]) for each in (one, other)]
    cosine = float(joined[0] @ joined[1])
    expected = {name: 0.48 * float(one.facets[name] @ other.facets[name]) / cosine for name in one.facets}
    assert facet_shares(one, other) == pytest.approx(expected, rel=1e-5)


def test_a_facet_that_is_unlike_has_no_share() -> None:
    one, other = heard({"timbre": 0, "rhythm": 0}), heard({"timbre": 45, "rhythm": 135})
    assert facet_shares(one, other) == {"timbre": 1.0, "rhythm": 0.0}
    opposite = heard({"timbre": 180, "rhythm": 180})
    assert facet_shares(one, opposite) == {"timbre": 0.5, "rhythm": 0.5}
    assert facet_shares(one, opposite, {"timbre": 0.0, "rhythm": 0.0}) == {"timbre": 0.5, "rhythm": 0.5}
    assert facet_shares(one, heard({"mood": 0})) == {}


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0, 10), min_size=3, max_size=3))
def test_shares_sum_to_one_and_none_is_below_zero(seed: int, weights: list[float]) -> None:
    names = ("timbre", "harmony", "rhythm")
    one, other = (
        TrackProfile(dict(zip(names, unit_vectors(3, 4, seed + n), strict=True)), dict.fromkeys(names, 0.33), {}, {})
        for n in (0, 1)
    )
    found = facet_shares(one, other, dict(zip(names, weights, strict=True)))
    assert sum(found.values()) == pytest.approx(1.0)
    assert min(found.values()) >= 0
    assert found.keys() == set(names)


def test_words_are_measured_ones_then_tags() -> None:
    attributes = {"tempo": 150.0, "energy": -10.0, "brightness": 5000.0, "key": "C major"}
    one = TrackProfile({}, {}, attributes, {"rock": 0.5, "indie rock": 0.3, "sad": 0.01, "happy": 0.4})
    other = TrackProfile({}, {}, {**attributes, "key": "F major", "tempo": 180.0}, {**one.tags, "happy": 0.01})
    said = common_traits(one, other, NAMES, USUAL)
    assert said == ["energetic rhythm", "bright timbre", "major key", "rock"]
    assert format_traits(said) == "[Similar: energetic rhythm, bright timbre, major key, rock]"
    assert format_traits([]) == ""
