"""What is said of two tracks: only what was measured of both, and holds of both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.likeness import in_common

ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "tempo": st.none() | st.floats(40, 240),
        "key": st.sampled_from([None, "A minor", "C minor", "C major", "F# major"]),
        "energy": st.floats(-100, 0),
        "brightness": st.none() | st.floats(0, 20000),
    },
)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({}, {}, []),
        ({"tempo": 140.0}, {}, []),
        ({"tempo": 140.0}, {"tempo": 170.0}, ["fast"]),
        ({"tempo": 80.0}, {"tempo": 90.0}, ["slow"]),
        ({"tempo": 80.0}, {"tempo": 150.0}, []),
        ({"tempo": 123.0}, {"tempo": 125.0}, ["about 124 BPM"]),
        ({"tempo": 150.0}, {"tempo": 150.0}, ["fast", "about 150 BPM"]),
        ({"key": "A minor"}, {"key": "A minor"}, ["A minor"]),
        ({"key": "A minor"}, {"key": "C minor"}, ["minor key"]),
        ({"key": "C major"}, {"key": "F# major"}, ["major key"]),
        ({"key": "C major"}, {"key": "C minor"}, []),
        ({"key": None}, {"key": None}, []),
        ({"energy": -10.0, "brightness": 4000.0}, {"energy": -12.0, "brightness": 3500.0}, ["loud", "bright"]),
        ({"energy": -30.0, "brightness": 900.0}, {"energy": -25.0, "brightness": 1000.0}, ["quiet", "dark"]),
        ({"tempo": "fast", "key": 3, "energy": True}, {"tempo": "fast", "key": 3, "energy": True}, []),
    ],
)
def test_words(one: dict[str, Any], other: dict[str, Any], words: list[str]) -> None:
    assert in_common(one, other) == words


@given(ATTRIBUTES, ATTRIBUTES)
def test_it_does_not_matter_which_comes_first_and_a_track_has_everything_in_common_with_itself(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert in_common(one, other) == in_common(other, one)
    assert not set(in_common(one, other)) & {"major key", "minor key"} or one["key"] != other["key"]
    alone = in_common(one, one)
    assert (one.get("key") in alone) == (one.get("key") is not None)
    assert any("BPM" in word for word in alone) == (one.get("tempo") is not None)
