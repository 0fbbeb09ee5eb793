"""A path has its ends, no repeats, and the most even steps that there are."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.errors import PlaylistError
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.playlist.path import find_path, great_circle
from resonance_engine.playlist.rules import Length, SequenceRules, Track, durations
from tests.embeddings import unit_vectors
from tests.engine.playlist.strategies import broken_rules, circle_vectors, rules, spacing_violations, track_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

FREE = SequenceRules(artist_spacing=0, album_spacing=0, works="ignore")


def shelved(
    vectors: NDArray[np.float32], tracks: Sequence[Track]
) -> tuple[VectorIndex, Callable[[list[int]], list[Track]]]:
    """An index of the vectors, and what describes the tracks behind its ids."""
    by_id = {track.id: track for track in tracks}
    return VectorIndex(np.array([track.id for track in tracks]), vectors), lambda ids: [by_id[each] for each in ids]


def angle(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return math.acos(min(1.0, max(-1.0, float(np.dot(one.astype(np.float64), other.astype(np.float64))))))


def steps(index: VectorIndex, tracks: Sequence[Track]) -> list[float]:
    vectors = index.vectors([track.id for track in tracks])
    return [angle(one, other) for one, other in itertools.pairwise(vectors)]


def most_even(index: VectorIndex, start: int, end: int, between: Sequence[int], count: int) -> tuple[float, float]:
    """Of all paths of so many tracks: the shortest longest step, and the least sum of squares with that one."""
    vectors = {each: index.vectors([each])[0] for each in (start, end, *between)}

    def progress(each: int) -> tuple[float, float]:
        """How far a track is on the way; of several that are equally far, the shorter detour comes first."""
        behind, ahead = angle(vectors[start], vectors[each]), angle(vectors[each], vectors[end])
        return behind / (behind + ahead), behind + ahead

    onwards = sorted(between, key=progress)
    found = []
    for inner in itertools.combinations(onwards, count - 2):
        taken = [angle(vectors[one], vectors[other]) for one, other in itertools.pairwise((start, *inner, end))]
        found.append((max(taken), sum(each * each for each in taken)))
    longest = min(found)[0]
    return longest, min(squares for most, squares in found if most <= longest + 1e-9)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(4, 10), width=st.integers(2, 4), data=st.data())
def test_no_other_path_has_a_shorter_longest_step_nor_more_even_ones(
    seed: int, size: int, width: int, data: st.DataObject
) -> None:
    tracks = [Track(number + 1) for number in range(size)]
    index, described = shelved(unit_vectors(size, width, seed), tracks)
    count = data.draw(st.integers(2, size))
    made = find_path(index, tracks[:2], described, Length(count), FREE).tracks
    taken = steps(index, made)
    longest, squares = most_even(index, 1, 2, range(3, size + 1), count)
    assert len(made) == count
    assert max(taken) == pytest.approx(longest, abs=1e-6)
    assert sum(each * each for each in taken) == pytest.approx(squares, abs=1e-5)


@settings(max_examples=60)
@given(
    tracks=track_lists(least=6, most=40),
    rules=rules(40),
    count=st.integers(4, 15),
    data=st.data(),
    seed=st.none() | st.integers(),
)
def test_ends_waypoints_and_rules_always_hold(
    tracks: list[Track], rules: SequenceRules, count: int, data: st.DataObject, seed: int | None
) -> None:
    index, described = shelved(unit_vectors(len(tracks), seed=count), tracks)
    waypoints = data.draw(st.lists(st.sampled_from(tracks), min_size=2, max_size=4, unique_by=lambda track: track.id))
    allowed = data.draw(st.none() | st.sets(st.sampled_from([track.id for track in tracks])))
    excluded = data.draw(st.sets(st.sampled_from([track.id for track in tracks]), max_size=5))
    made = find_path(index, waypoints, described, Length(count), rules, allowed, excluded, seed)
    asked = {track.id for track in waypoints}
    assert made.tracks[0] == waypoints[0]
    assert made.tracks[-1] == waypoints[-1]
    assert [track for track in made.tracks if track.id in asked] == waypoints
    assert broken_rules(made.tracks, waypoints, rules) == []
    others = {track.id for track in made.tracks} - asked
    assert not others & excluded
    assert allowed is None or others <= allowed
    assert len(made.tracks) <= count
    assert any("there are no more" in note for note in made.notes) == (len(made.tracks) < count)
    if spacing_violations(made.tracks, rules, frozenset(asked)):
        assert any("The spacing" in note for note in made.notes)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 20))
def test_between_two_waypoints_it_only_goes_forward(seed: int, count: int) -> None:
    tracks = [Track(number) for number in range(60)]
    index, described = shelved(unit_vectors(60, 6, seed), tracks)
    made = find_path(index, tracks[:2], described, Length(count), FREE).tracks
    vectors = index.vectors([track.id for track in made])
    behind = np.array([angle(vectors[0], each) for each in vectors])
    ahead = np.array([angle(each, vectors[-1]) for each in vectors])
    assert (np.diff(behind / (behind + ahead)) > 0).all()


def test_steps_along_a_circle_are_equal_and_skip_what_stands_close() -> None:
    degrees = (0, 90, 2, 4, 29, 30, 31, 58, 60, 88)
    tracks = [Track(number) for number in range(len(degrees))]
    index, described = shelved(circle_vectors(*degrees), tracks)
    made = find_path(index, tracks[:2], described, Length(4), FREE).tracks
    assert [degrees[track.id] for track in made] == [0, 30, 60, 90]


def test_waypoints_are_passed_in_their_order() -> None:
    degrees = (0, 60, 20, 10, 40, 50)
    tracks = [Track(number) for number in range(len(degrees))]
    index, described = shelved(circle_vectors(*degrees), tracks)
    made = find_path(index, [tracks[0], tracks[1], tracks[2]], described, Length(6), FREE).tracks
    # 40 and 50 lie on the way there and on the way back; passed once each in this way, no step is longer than 30.
    assert [degrees[track.id] for track in made] == [0, 10, 40, 60, 50, 20]


def test_artists_are_apart_unless_there_is_no_other_path() -> None:
    degrees = (0, 90, 30, 33, 60, 57)
    artists = ("", "", "Can", "Bach", "Can", "Bach")
    tracks = [Track(number, artist) for number, artist in enumerate(artists)]
    index, described = shelved(circle_vectors(*degrees), tracks)
    made = find_path(index, tracks[:2], described, Length(4), SequenceRules())
    assert {degrees[track.id] for track in made.tracks} in ({0, 30, 57, 90}, {0, 33, 60, 90})
    assert made.notes == ()
    made = find_path(index, tracks[:2], described, Length(4), SequenceRules(), allowed={2, 4})
    assert [degrees[track.id] for track in made.tracks] == [0, 30, 60, 90]
    assert made.notes == ("The spacing per artist and album is 0, not 2: there was no other path of this length.",)


def test_a_path_that_is_short_says_so() -> None:
    tracks = [Track(number) for number in range(4)]
    index, described = shelved(circle_vectors(0, 90, 30, 60), tracks)
    made = find_path(index, tracks[:2], described, Length(10), FREE)
    assert len(made.tracks) == 4
    assert made.notes == ("The path has 4 tracks, not 10: there are no more between its ends that the rules let in.",)


def test_those_that_are_not_described_do_not_appear() -> None:
    tracks = [Track(number) for number in range(20)]
    index, _ = shelved(unit_vectors(20), tracks)
    made = find_path(index, tracks[:2], lambda ids: [tracks[each] for each in ids if each % 2], Length(20), FREE)
    assert {track.id for track in made.tracks} == {0, *range(1, 20, 2)}


@pytest.mark.parametrize("minutes", [1, 12, 30, 1000])
def test_a_path_of_a_playing_time(minutes: float) -> None:
    tracks = [Track(number, seconds=150 + 7 * (number % 20)) for number in range(60)]
    index, described = shelved(unit_vectors(60), tracks)
    made = find_path(index, tracks[:2], described, Length(seconds=60 * minutes), FREE)
    missing = 60 * minutes - sum(durations(made.tracks))
    assert len(made.tracks) >= 2
    assert (
        abs(missing) <= 150 or (missing < 0 and len(made.tracks) == 2) or any("no more" in each for each in made.notes)
    )


def test_a_number_varies_the_path_and_always_in_the_same_way() -> None:
    tracks = [Track(number) for number in range(300)]
    index, described = shelved(unit_vectors(300, width=6), tracks)
    made = [find_path(index, tracks[:2], described, Length(8), FREE, seed=seed).tracks for seed in (None, 1, 2, 1)]
    assert made[1] == made[3]
    assert len({made[0], made[1], made[2]}) == 3
    longest = [max(steps(index, each)) for each in made]
    assert max(longest) <= 1.1 * longest[0]


def test_opposite_ends_have_a_path() -> None:
    tracks = [Track(number) for number in range(5)]
    index, described = shelved(circle_vectors(0, 180, 45, 90, 135), tracks)
    made = find_path(index, tracks[:2], described, Length(5), FREE).tracks
    assert [track.id for track in made] == [0, 2, 3, 4, 1]


@pytest.mark.parametrize("degrees", [0.0, 1e-5, 30.0, 90.0, 179.0, 180.0])
def test_points_of_a_great_circle(degrees: float) -> None:
    one, other = circle_vectors(0, degrees)
    points = great_circle(one, other, 7)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(points[[0, -1]], [one, other], atol=1e-5)
    if 1 < degrees < 179.5:
        between = [angle(*pair) for pair in itertools.pairwise(points)]
        np.testing.assert_allclose(between, math.radians(degrees) / 6, atol=1e-3)


@pytest.mark.parametrize(
    ("waypoints", "count", "said"),
    [
        ([1], 5, "A path leads from one track to another; it was given 1 track."),
        ([1, 2, 1], 5, "A path has no repeats; one of the tracks that it leads through was given twice."),
        ([1, 2, 3], 2, "A path through 3 tracks cannot have 2 tracks."),
    ],
)
def test_paths_that_cannot_be(waypoints: list[int], count: int, said: str) -> None:
    tracks = [Track(number) for number in range(5)]
    index, described = shelved(unit_vectors(5), tracks)
    with pytest.raises(PlaylistError) as error:
        find_path(index, [tracks[each] for each in waypoints], described, Length(count), FREE)
    assert str(error.value) == said
