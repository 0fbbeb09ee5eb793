"""An order_tracks list keeps its rules and its length, opens as asked, flows, and does not drift."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.order import ANCHOR, order_tracks
from resonance_engine.playlist.rules import Length, SequenceRules, Track, TrackPool, durations, jitter
from resonance_engine.search.constraints import Caps
from tests.embeddings import unit_vectors
from tests.engine.playlist.strategies import broken_rules, circle_vectors, pool, rules, spacing_violations, track_lists

FREE = SequenceRules(artist_spacing=0, album_spacing=0, works="ignore")


def titled(angles: list[float], artists: str, **more: object) -> TrackPool:
    """A pool on a circle, the seed at 0 degrees."""
    vectors = circle_vectors(*angles)
    tracks = [Track(place, artist.strip(), **more) for place, artist in enumerate(artists)]  # type: ignore[arg-type]
    return TrackPool(tracks, vectors, vectors @ circle_vectors(0)[0])


def ids(pool: TrackPool, *args: object, **more: object) -> list[int]:
    return [track.id for track in order_tracks(pool, *args, **more).tracks]  # type: ignore[arg-type]


@settings(max_examples=60)
@given(data=st.data(), tracks=track_lists(), rules=rules(), count=st.integers(1, 12), seed=st.none() | st.integers())
def test_rules_and_number_always_hold(
    data: st.DataObject, tracks: list[Track], rules: SequenceRules, count: int, seed: int | None
) -> None:
    rules = replace(rules, works=data.draw(st.sampled_from(["avoid", "ignore"])))
    opening = data.draw(st.lists(st.sampled_from(range(len(tracks))), max_size=2, unique=True)) if tracks else []
    made = order_tracks(pool(tracks), Length(count), rules, opening, seed)
    asked = [tracks[place] for place in opening]
    assert list(made.tracks[: len(opening)]) == asked
    assert broken_rules(made.tracks, asked, rules) == []
    assert len(made.tracks) <= max(count, len(opening))
    assert any("shorter" in note for note in made.notes) == (len(made.tracks) < count)
    if spacing_violations(made.tracks, rules, frozenset(track.id for track in asked)):
        assert any("sooner" in note for note in made.notes)


@settings(max_examples=60)
@given(tracks=track_lists(), count=st.integers(1, 30), spacing=st.integers(0, 2))
def test_works_are_whole_in_order_and_in_one_piece(tracks: list[Track], count: int, spacing: int) -> None:
    made = order_tracks(pool(tracks), Length(count), SequenceRules(artist_spacing=spacing)).tracks
    for (work, album), group in itertools.groupby(made, lambda track: (track.work, track.album)):
        played = list(group)
        if work:
            assert {track.id for track in played} == {
                track.id for track in tracks if (track.work, track.album) == (work, album)
            }
            assert [track.movement for track in played] == sorted(track.movement for track in played)
    assert len(made) <= count


@settings(max_examples=30)
@given(tracks=track_lists())
def test_without_rules_every_track_is_the_best_that_was_left(tracks: list[Track]) -> None:
    """The definition, track by track."""
    shelf = pool(tracks)
    before = None
    left = {track.id: place for place, track in enumerate(tracks)}
    for track in order_tracks(shelf, Length(30), FREE).tracks:
        scores = {
            each: ANCHOR * shelf.closeness[place]
            + (1 - ANCHOR)
            * (shelf.closeness[place] if before is None else shelf.vectors[place] @ shelf.vectors[before])
            for each, place in left.items()
        }
        assert scores[track.id] >= max(scores.values()) - 1e-6
        before = left.pop(track.id)
    assert not left


@settings(max_examples=60)
@given(names=st.lists(st.sampled_from("aaabbc "), min_size=1, max_size=7), count=st.integers(1, 7))
def test_artists_are_apart_whenever_the_pool_can_be_put_so(names: list[str], count: int) -> None:
    """Against all orders there are; a list that takes the best alone ends with what is left of one artist."""
    rule = SequenceRules(artist_spacing=1)
    tracks = [Track(number, name.strip()) for number, name in enumerate(names)]
    count = min(count, len(tracks))
    made = order_tracks(pool(tracks), Length(count), rule).tracks
    possible = any(not spacing_violations(order, rule) for order in itertools.permutations(tracks, count))
    assert bool(spacing_violations(made, rule)) != possible


def test_spacing_gives_way_only_where_nothing_else_is_left_and_says_so() -> None:
    made = order_tracks(titled([1, 2, 90], "aab"), Length(3), SequenceRules(artist_spacing=1))
    assert [track.id for track in made.tracks] == [0, 2, 1]
    assert made.notes == ()
    made = order_tracks(titled([1, 2, 90], "aab"), Length(3), SequenceRules(artist_spacing=2))
    assert made.notes == (
        "1 track comes sooner after another of the same artist or album than asked for: there was no other left.",
    )


def test_it_flows_from_track_to_track_without_leaving_the_seed() -> None:
    # From 10 degrees on, by the mean of the cosines to 0 and to the track before:
    # 25 -> (.906 + .966) / 2 = .936, -12 -> (.978 + .927) / 2 = .953; then 25 again, before 60.
    assert ids(titled([25, 10, 60, -12], "    "), Length(4)) == [1, 3, 0, 2]


def test_a_long_list_does_not_drift() -> None:
    """A chain of nearest neighbours leaves the seed; the anchored list takes the 15 closest tracks that there are."""
    vectors = unit_vectors(400, width=16, seed=3)
    closeness = vectors @ unit_vectors(1, width=16, seed=4)[0]
    tracks = [Track(number) for number in range(400)]
    chain, left = [int(np.argmax(closeness))], set(range(400))
    while len(chain) < 15:
        left.discard(chain[-1])
        chain.append(max(left, key=lambda each: float(vectors[each] @ vectors[chain[-1]])))
    listed = ids(TrackPool(tracks, vectors, closeness), Length(15), FREE)
    assert closeness[listed[5:]].mean() > closeness[chain[5:]].mean() + 0.2


@settings(max_examples=60)
@given(tracks=track_lists(least=1), minutes=st.integers(1, 60))
def test_a_playing_time_is_met_to_half_a_usual_track(tracks: list[Track], minutes: int) -> None:
    seconds = durations(tracks)
    made = order_tracks(pool(tracks), Length(seconds=60.0 * minutes), FREE)
    played = sum(seconds[track.id - 1] for track in made.tracks)
    longest = max(seconds)
    assert len(made.tracks) == 1 or played <= 60 * minutes + longest / 2
    assert any("shorter" in note for note in made.notes) == (played <= 60 * minutes - np.median(seconds) / 2)


def test_a_length_that_nobody_knows_is_a_usual_one() -> None:
    assert durations([Track(1, seconds=100), Track(2), Track(3, seconds=200)]) == [100, 150, 200]
    assert durations([Track(1)]) == [240]


def test_a_number_varies_the_list_and_always_in_the_same_way() -> None:
    shelf = pool([Track(number) for number in range(60)])
    lists = [ids(shelf, Length(20), FREE, seed=seed) for seed in (None, 1, 2, 1)]
    assert lists[1] == lists[3]
    assert lists[0] != lists[1] != lists[2] != lists[0]
    assert min(len(set(lists[0]) & set(each)) for each in lists) >= 10


def test_the_variation_of_a_track_depends_on_nothing_but_its_id_and_the_number() -> None:
    many = jitter(range(1000), 7)
    assert jitter([999, 3], 7).tolist() == [many[999], many[3]]
    assert -1 <= many.min() < -0.9
    assert 0.9 < many.max() <= 1
    assert abs(many.mean()) < 0.1
    assert not jitter(range(5), None).any()
    assert not np.array_equal(jitter(range(5), 1), jitter(range(5), -1))


def test_what_was_opened_with_stays_in_order_and_counts() -> None:
    shelf = titled([1, 2, 3, 4], "abab")
    made = order_tracks(shelf, Length(4), SequenceRules(Caps(per_artist=1)), opening=[3])
    assert [track.id for track in made.tracks] == [3, 0]
    assert made.notes == ("The list is shorter than asked for: left out were 2 beyond the limit of 1 per artist.",)


def test_never_together() -> None:
    shelf = titled([1, 2, 3], "abc")
    made = order_tracks(shelf, Length(3), SequenceRules(apart=frozenset({(1, 0), (9, 2)})))
    assert [track.id for track in made.tracks] == [0, 2]
    assert "1 never to be together with one in the list" in made.notes[0]
    assert ids(shelf, Length(3), SequenceRules(apart=frozenset({(1, 0)})), [1, 0]) == [1, 0, 2]


def suite() -> TrackPool:
    """Three movements of a suite, of which the second is closest, two other recordings of it, and a song."""
    tracks = [
        Track(0, "Bach", "Casals", "Suite", 2),
        Track(1, "Bach", "Casals", "Suite", 1),
        Track(2, "Bach", "Bylsma", "Suite", 1),
        Track(3, "Can", "", ""),
        Track(4, "Bach", "Casals", "Suite", 3),
    ]
    vectors = circle_vectors(1, 30, 50, 20, 40)
    return TrackPool(tracks, vectors, vectors @ circle_vectors(0)[0])


@pytest.mark.parametrize(
    ("works", "count", "order"),
    [
        ("together", 5, [3, 1, 0, 4, 2]),
        ("together", 2, [3, 2]),
        ("avoid", 5, [0, 3]),
        ("ignore", 5, [0, 3, 1, 4, 2]),
    ],
)
def test_movements_of_a_work(works: str, count: int, order: list[int]) -> None:
    assert ids(suite(), Length(count), SequenceRules(artist_spacing=0, album_spacing=0, works=works)) == order


def test_a_work_to_open_with_is_whole_or_the_list_says_why_not() -> None:
    made = order_tracks(suite(), Length(4), SequenceRules(), opening=[4])
    assert [track.id for track in made.tracks] == [1, 0, 4, 3]
    made = order_tracks(suite(), Length(2), SequenceRules(), opening=[4])
    assert [track.id for track in made.tracks] == [4, 3]
    assert made.notes == ("Works are not kept together: those that the list opens with are longer than the list.",)


def test_a_work_whose_movements_must_not_meet_is_left_out() -> None:
    made = order_tracks(suite(), Length(5), SequenceRules(apart=frozenset({(0, 4)})))
    assert {track.id for track in made.tracks} == {2, 3}


def test_nothing_to_choose_from() -> None:
    made = order_tracks(pool([]), Length(5))
    assert made.tracks == ()
    assert made.notes == ("The list is shorter than asked for: there are no other candidates.",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"album_spacing": -1}, "The album spacing is 0 or more tracks, not -1."),
        ({"works": "split"}, "Works can be together, avoid or ignore, not 'split'."),
    ],
)
def test_rules_that_make_no_sense(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(PlaylistError) as error:
        SequenceRules(**wrong)  # type: ignore[arg-type]
    assert str(error.value) == said


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"seconds": 0.0}, {"seconds": float("inf")}, {"seconds": float("nan")}]
)
def test_lengths_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(PlaylistError, match="A list"):
        Length(**wrong)  # type: ignore[arg-type]


def test_a_pool_has_a_vector_for_each_track() -> None:
    with pytest.raises(ValueError, match="each of 1 tracks"):
        TrackPool([Track(1)], unit_vectors(2), np.ones(2, np.float32))
