"""A playlist starts near its seed, never repeats a track, and keeps one artist's tracks apart while it can."""

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
def test_an_artist_returns_early_only_where_there_is_no_choice(artists: list[str], opening: str) -> None:
    order = journey(SEED, VECTORS[: len(artists)], artists, len(artists), opening)
    played = [opening, *(artists[i] for i in order)]
    for place in range(1, len(played)):
        rest = set(played[place:])
        # The longest spacing that any of the tracks left could keep is kept.
        for span in range(SPACING, 0, -1):
            recent = {artist for artist in played[max(0, place - span) : place] if artist}
            if rest - recent:
                assert played[place] not in recent
                break


def test_it_starts_with_the_track_nearest_to_the_seed() -> None:
    assert journey(SEED, VECTORS, [""] * 40, 1) == [int(np.argmax(VECTORS @ SEED))]


def test_it_flows_from_track_to_track_without_leaving_the_seed() -> None:
    # From 10 degrees on, by the mean of the cosines to 0 and to the track before:
    # 25 -> (.906 + .966) / 2 = .936, -12 -> (.978 + .927) / 2 = .953; then 25 again, before 60.
    assert journey(circle(0)[0], circle(25, 10, 60, -12), [""] * 4, 4) == [1, 3, 0, 2]


def test_tracks_without_an_artist_follow_each_other() -> None:
    nearest_first = list(np.argsort(-(circle(1, 2, 3, 4) @ circle(0)[0])))
    assert journey(circle(0)[0], circle(1, 2, 3, 4), ["", "", "", ""], 4) == nearest_first


def test_the_artist_of_the_opening_waits() -> None:
    assert journey(circle(0)[0], circle(1, 30), ["Bach", "Can"], 2, opening="Bach") == [1, 0]


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
