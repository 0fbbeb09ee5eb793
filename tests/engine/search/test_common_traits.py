"""What is said of two tracks: only what was measured of both, and holds of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.search.explain import common_attributes, common_tags

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
        ({"tempo": 140.0}, {"tempo": 170.0}, ["fast rhythm"]),
        ({"tempo": 80.0}, {"tempo": 90.0}, ["slow rhythm"]),
        ({"tempo": 80.0}, {"tempo": 150.0}, []),
        ({"tempo": 123.0}, {"tempo": 125.0}, ["about 124 BPM"]),
        ({"tempo": 150.0}, {"tempo": 150.0}, ["fast rhythm", "about 150 BPM"]),
        ({"tempo": 150.0, "energy": -9.0}, {"tempo": 180.0, "energy": -9.0}, ["energetic rhythm"]),
        ({"tempo": 60.0, "energy": -30.0}, {"tempo": 80.0, "energy": -30.0}, ["calm rhythm"]),
        ({"tempo": 60.0, "energy": -9.0}, {"tempo": 80.0, "energy": -9.0}, ["slow rhythm", "loud"]),
        ({"key": "A minor"}, {"key": "A minor"}, ["A minor"]),
        ({"key": "A minor"}, {"key": "C minor"}, ["minor key"]),
        ({"key": "C major"}, {"key": "F# major"}, ["major key"]),
        ({"key": "C major"}, {"key": "C minor"}, []),
        ({"key": None}, {"key": None}, []),
        ({"energy": -10.0, "brightness": 4000.0}, {"energy": -12.0, "brightness": 3500.0}, ["loud", "bright timbre"]),
        ({"energy": -30.0, "brightness": 900.0}, {"energy": -25.0, "brightness": 1000.0}, ["quiet", "dark timbre"]),
        ({"tempo": "fast", "key": 3, "energy": True}, {"tempo": "fast", "key": 3, "energy": True}, []),
    ],
)
def test_words(one: dict[str, Any], other: dict[str, Any], words: list[str]) -> None:
    assert common_attributes(one, other) == words


@given(ATTRIBUTES, ATTRIBUTES)
def test_it_does_not_matter_which_comes_first_and_a_track_has_everything_in_common_with_itself(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert common_attributes(one, other) == common_attributes(other, one)
    assert not set(common_attributes(one, other)) & {"major key", "minor key"} or one["key"] != other["key"]
    alone = common_attributes(one, one)
    assert (one.get("key") in alone) == (one.get("key") is not None)
    assert any("BPM" in word for word in alone) == (one.get("tempo") is not None)


NAMES = ("rock", "indie rock", "sad", "happy", "jazz", "80s")
LIBRARY = np.tile(np.linspace(0.01, 0.2, 40, dtype=np.float32)[:, None], 6)


def tagged(*probabilities: float) -> dict[str, float]:
    return dict(zip(NAMES, probabilities, strict=True))


class TestTags:
    def test_both_have_to_stand_out(self) -> None:
        one, other = tagged(0.1, 0.1, 0.5, 0.5, 0.1, 0.3), tagged(0.1, 0.1, 0.4, 0.1, 0.5, 0.6)
        assert common_tags(one, other, NAMES, LIBRARY) == ["sad", "80s"]
        assert common_tags(other, one, NAMES, LIBRARY) == ["sad", "80s"]

    def test_at_most_three_and_each_but_once(self) -> None:
        track = tagged(0.5, 0.6, 0.7, 0.4, 0.8, 0.3)
        assert common_tags(track, track, NAMES, LIBRARY) == ["jazz", "sad", "indie rock"]

    def test_an_improbable_tag_is_not_said(self) -> None:
        elsewhere = LIBRARY / np.float32(100)
        track, likely = tagged(0.04, 0.0, 0.0, 0.0, 0.0, 0.0), tagged(0.06, 0.0, 0.0, 0.0, 0.0, 0.0)
        assert common_tags(track, track, NAMES, elsewhere) == []
        assert common_tags(likely, likely, NAMES, elsewhere) == ["rock"]

    def test_nothing_is_said_without_tags_or_without_a_library(self) -> None:
        track = tagged(0.9, 0.9, 0.9, 0.9, 0.9, 0.9)
        assert common_tags(track, {}, NAMES, LIBRARY) == []
        assert common_tags({}, track, NAMES, LIBRARY) == []
        assert common_tags(track, track, NAMES, LIBRARY[:9]) == []
        assert common_tags({}, {}, (), np.empty((40, 0), np.float32)) == []
