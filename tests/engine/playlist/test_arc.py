"""Along an arc the attribute goes as asked, and the list is the closest to the seeds that does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.arc import LARGEST, PULL, SCALES, SHAPES, Arc, order_by_arc, relative_heights
from resonance_engine.playlist.order import ANCHOR
from resonance_engine.playlist.rules import Length, SequenceRules, Track, TrackPool, durations
from tests.embeddings import unit_vectors
from tests.engine.playlist.strategies import broken_rules, pool, rules, spacing_violations, track_lists

FREE = SequenceRules(artist_spacing=0, album_spacing=0, works="ignore")
SHAPED = st.sampled_from(list(SHAPES))


def turns(values: list[float], shape: str) -> bool:
    """Whether values only go as the shape goes; by definition, not by the order they were made in."""
    ways = {"rise": (1,), "fall": (-1,), "peak": (1, -1), "valley": (-1, 1)}[shape]
    for bend in range(len(values)) if len(ways) == 2 else [len(values) - 1]:
        parts = (values[: bend + 1], values[bend:])
        if all(sorted(part, reverse=way < 0) == part for part, way in zip(parts, ways, strict=False)):
            return True
    return not values


@settings(max_examples=60)
@given(
    tracks=track_lists(least=1),
    shape=SHAPED,
    attribute=st.sampled_from(["energy", "tempo"]),
    rules=rules(),
    count=st.integers(1, 12),
    seed=st.none() | st.integers(),
)
def test_the_attribute_goes_as_asked_and_rules_hold(
    tracks: list[Track], shape: str, attribute: str, rules: SequenceRules, count: int, seed: int | None
) -> None:
    made = order_by_arc(pool(tracks), Arc(attribute, shape), Length(count), rules, seed)
    assert turns([track.attributes[attribute] for track in made.tracks], shape)
    assert broken_rules(made.tracks, [], rules) == []
    assert 1 <= len(made.tracks) <= count
    assert any("there are no more" in note for note in made.notes) == (len(made.tracks) < count)
    if spacing_violations(made.tracks, rules):
        assert any("The spacing" in note for note in made.notes)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 6), shape=st.sampled_from(["rise", "fall"]), data=st.data())
def test_no_other_list_costs_less(seed: int, size: int, shape: str, data: st.DataObject) -> None:
    """The definition, over all lists there are."""
    count = data.draw(st.integers(1, size))
    tracks = [Track(number, attributes={"energy": 3.0 * number}) for number in range(size)]
    shelf = pool(tracks, seed % 1000)
    height = relative_heights(shelf, Arc("energy", shape))
    aims = SHAPES[shape](np.linspace(0, 1, count)) if count > 1 else SHAPES[shape](np.array([0.5]))

    def cost(order: tuple[int, ...]) -> float:
        away = sum(
            PULL * abs(height[place] - aim) - ANCHOR * shelf.closeness[place]
            for place, aim in zip(order, aims, strict=True)
        )
        return float(
            away - sum((1 - ANCHOR) * shelf.vectors[a] @ shelf.vectors[b] for a, b in itertools.pairwise(order))
        )

    orders = [
        order
        for order in itertools.permutations(range(size), count)
        if turns([tracks[place].attributes["energy"] for place in order], shape)
    ]
    made = order_by_arc(shelf, Arc("energy", shape), Length(count), FREE)
    assert cost(tuple(track.id for track in made.tracks)) == pytest.approx(min(map(cost, orders)), abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_spans_what_the_pool_has_in_even_steps(shape: str) -> None:
    """Of tracks that are all alike, those are taken that stand where the arc is."""
    tracks = [Track(number, attributes={"energy": -30.0 + number / 4}) for number in range(81)]
    vectors = np.tile(unit_vectors(1), (81, 1))
    made = order_by_arc(TrackPool(tracks, vectors, np.ones(81, np.float32)), Arc("energy", shape), Length(7), FREE)
    values = np.array([track.attributes["energy"] for track in made.tracks])
    np.testing.assert_allclose(values, -29 + 18 * SHAPES[shape](np.linspace(0, 1, 7)), atol=0.3)


def test_it_stays_close_to_the_seeds() -> None:
    """Of two tracks with the same energy, the closer one is taken."""
    tracks = [Track(number, attributes={"energy": -30.0 + number // 2}) for number in range(40)]
    closeness = np.where(np.arange(40) % 2, 0.9, 0.2).astype(np.float32)
    alike = np.tile(unit_vectors(1), (40, 1))
    made = order_by_arc(TrackPool(tracks, alike, closeness), Arc("energy", "rise"), Length(10), FREE)
    assert all(track.id % 2 for track in made.tracks)


def test_tempo_and_brightness_are_spaced_as_they_are_heard() -> None:
    """An octave up is as far as an octave down."""
    for attribute in ("tempo", "brightness"):
        tracks = [Track(number, attributes={attribute: 50.0 * 2 ** (number / 10)}) for number in range(21)]
        made = relative_heights(pool(tracks), Arc(attribute, "rise"))
        assert made[10] == pytest.approx((made[0] + made[20]) / 2)
    assert set(SCALES) == {"energy", "tempo", "brightness"}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("energy:rise", "The energy goes from -29 to -12 dBFS."),
        ("energy:valley", "The energy goes from -12 to -29 to -11 dBFS."),
        ("brightness:peak", "The brightness goes from 1,054 to 2,577 to 1,000 Hz."),
        ("tempo:fall", "The tempo goes from 118 to 101 BPM."),
    ],
)
def test_what_it_goes_through_is_said(spec: str, said: str) -> None:
    tracks = [
        Track(number, attributes={"energy": -30.0 + number, "tempo": 100.0 + number, "brightness": 1e3 * 1.054**number})
        for number in range(20)
    ]
    alike = TrackPool(tracks, np.tile(unit_vectors(1), (20, 1)), np.ones(20, np.float32))
    assert order_by_arc(alike, Arc.parse(spec), Length(9), FREE).notes == (said,)


@pytest.mark.parametrize("odd", [None, "fast", True, float("nan"), float("inf"), 0.0, -3.0])
def test_tracks_without_the_attribute_are_left_out(odd: object) -> None:
    tracks = [Track(1, attributes={"tempo": 100.0}), Track(2, attributes={"tempo": odd}), Track(3)]
    made = order_by_arc(pool(tracks), Arc("tempo", "rise"), Length(3), FREE)
    assert [track.id for track in made.tracks] == [1]
    assert made.notes[-1] == "2 tracks of 3 to choose from left out, for want of a measured tempo."
    with pytest.raises(PlaylistError) as error:
        order_by_arc(pool(tracks[1:]), Arc("tempo", "rise"), Length(3), FREE)
    assert str(error.value) == "None of the 2 tracks to choose from has its tempo measured, which tempo:rise needs."


def test_of_a_large_pool_the_closest_are_taken() -> None:
    tracks = [Track(number, attributes={"energy": float(number % 7)}) for number in range(LARGEST + 50)]
    closeness = np.where(np.arange(LARGEST + 50) < 50, 0.0, 0.5).astype(np.float32)
    made = order_by_arc(
        TrackPool(tracks, unit_vectors(LARGEST + 50), closeness), Arc("energy", "peak"), Length(10), FREE
    )
    assert min(track.id for track in made.tracks) >= 50


@pytest.mark.parametrize("minutes", [3, 20, 61])
def test_an_arc_of_a_playing_time(minutes: float) -> None:
    tracks = [Track(number, seconds=150.0 + number, attributes={"energy": float(-number)}) for number in range(60)]
    made = order_by_arc(pool(tracks), Arc("energy", "rise"), Length(seconds=60 * minutes), FREE)
    assert abs(60 * minutes - sum(durations(made.tracks))) <= 150


def test_a_number_varies_the_arc_and_always_in_the_same_way() -> None:
    tracks = [Track(number, attributes={"energy": float(-number)}) for number in range(60)]
    alike = TrackPool(tracks, np.tile(unit_vectors(1), (60, 1)), np.ones(60, np.float32))
    made = [order_by_arc(alike, Arc("energy", "rise"), Length(12), FREE, seed).tracks for seed in (None, 1, 2, 1)]
    assert made[1] == made[3]
    assert len({made[0], made[1], made[2]}) == 3


@pytest.mark.parametrize(
    "text", ["", "energy", "energy:", ":rise", "loudness:rise", "energy:up", "energy:rise:fall", "Energy:rise"]
)
def test_texts_that_name_no_arc(text: str) -> None:
    with pytest.raises(PlaylistError, match=r"such as energy:rise, not "):
        Arc.parse(text)


def test_an_arc_is_named_by_its_text() -> None:
    assert str(Arc.parse("tempo:valley")) == "tempo:valley"
