"""A playlist starts near its seed, never repeats a track, and keeps one artist's tracks apart where it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.playlist import SPACING, journey, within
from tests.embeddings import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

VECTORS = unit_vectors(40)
SEED = unit_vectors(1, seed=5)[0]
ARTISTS = st.lists(st.sampled_from(["", "Bach", "Björk", "Can"]), max_size=40)


def circle(*degrees: float) -> NDArray[np.float32]:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@given(artists=ARTISTS, count=st.integers(0, 50), opening=st.sampled_from(["", "Bach"]))
def test_no_track_comes_twice_and_none_is_held_back(artists: list[str], count: int, opening: str) -> None:
    order = journey(SEED, VECTORS[: len(artists)], artists, count, opening)
    assert len(set(order)) == len(order) == min(count, len(artists))


@given(artists=ARTISTS, opening=st.sampled_from(["", "Bach"]))
def test_every_track_is_the_best_that_was_left(artists: list[str], opening: str) -> None:
    """The definition, track by track: half the cosine to the seed, half to the track before, less 0.2 for a repeat."""
    order = journey(SEED, VECTORS[: len(artists)], artists, len(artists), opening)
    played, before = [opening], SEED
    for place, chosen in enumerate(order):
        scores = {
            each: (VECTORS[each] @ SEED + VECTORS[each] @ before) / 2
            - 0.2 * (artists[each] != "" and artists[each] in played[-SPACING:])
            for each in order[place:]
        }
        assert scores[chosen] >= max(scores.values()) - 1e-6
        played.append(artists[chosen])
        before = VECTORS[chosen]


def test_an_artist_returns_early_only_where_the_others_sound_much_less_alike() -> None:
    # cos 1 = 1.00, cos 30 = 0.87: less than 0.2 apart, so Can comes first; cos 60 = 0.50 is too far away.
    assert journey(circle(0)[0], circle(1, 30), ["Bach", "Can"], 2, opening="Bach") == [1, 0]
    assert journey(circle(0)[0], circle(1, 60), ["Bach", "Can"], 2, opening="Bach") == [0, 1]


def test_it_starts_with_the_track_nearest_to_the_seed() -> None:
    assert journey(SEED, VECTORS, [""] * 40, 1) == [int(np.argmax(VECTORS @ SEED))]


def test_it_flows_from_track_to_track_without_leaving_the_seed() -> None:
    # From 10 degrees on, by the mean of the cosines to 0 and to the track before:
    # 25 -> (.906 + .966) / 2 = .936, -12 -> (.978 + .927) / 2 = .953; then 25 again, before 60.
    assert journey(circle(0)[0], circle(25, 10, 60, -12), [""] * 4, 4) == [1, 3, 0, 2]


def test_tracks_without_an_artist_follow_each_other() -> None:
    nearest_first = list(np.argsort(-(circle(1, 2, 3, 4) @ circle(0)[0])))
    assert journey(circle(0)[0], circle(1, 2, 3, 4), ["", "", "", ""], 4) == nearest_first


def test_nothing_to_choose_from() -> None:
    assert journey(SEED, VECTORS[:0], [], 5) == []


@pytest.mark.parametrize(
    ("seconds", "lengths", "count"),
    [
        (600, [200, 200, 200, 200], 3),
        (650, [200, 200, 200, 200], 3),
        (750, [200, 200, 200, 200], 4),
        (10, [200, 200], 1),
        (9999, [200, 200], 2),
        (100, [], 0),
    ],
)
def test_a_list_of_a_length_comes_as_close_as_whole_tracks_can(
    seconds: float, lengths: list[float], count: int
) -> None:
    assert within(seconds, lengths) == count
