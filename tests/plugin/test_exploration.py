"""The course of an interactive search, without a terminal: seeds, negative seeds, the way back."""

from __future__ import annotations

import pytest
from beets.exceptions import UserError
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.search.exploration import Exploration, Step, alternatives, parse_places
from beetsplug.resonance.search.request import SearchRequest

IDS = st.lists(st.integers(1, 9), min_size=1, max_size=4)
MOVES = st.lists(st.tuples(st.sampled_from(["like", "dislike", "dive", "back"]), IDS), max_size=12)
START = {
    "query": ("artist:air", "year+"),
    "avoid": ("title:x",),
    "among": ("genres:jazz",),
    "count": 5,
    "bpm": "0.9-1.1",
}


def move(exploration: Exploration, kind: str, ids: list[int]) -> Exploration:
    if kind == "back":
        return exploration.back()
    return exploration.dive(ids[0]) if kind == "dive" else getattr(exploration, kind)(ids)


@given(MOVES)
def test_a_track_is_liked_or_disliked_or_neither(moves: list[tuple[str, list[int]]]) -> None:
    exploration = Exploration()
    for kind, ids in moves:
        exploration = move(exploration, kind, ids)
        step = exploration.step
        assert not {*step.liked} & {*step.disliked}
        assert len({*step.liked}) == len(step.liked)
        if kind == "like":
            assert {*ids} <= {*step.liked}
        if kind == "dislike":
            assert {*ids} <= {*step.disliked}
        if kind == "dive":
            assert step == Step(ids[0])


@given(MOVES)
def test_back_returns_to_the_step_before(moves: list[tuple[str, list[int]]]) -> None:
    exploration, before = Exploration(), [Exploration()]
    for kind, ids in moves:
        following = move(exploration, kind, ids)
        if kind != "back" and following != exploration:
            assert following.back() == exploration
        before.append(following)
        exploration = following
    while not exploration.is_at_start:
        exploration = exploration.back()
    assert exploration == Exploration() == exploration.back()


@given(MOVES)
def test_exploration_steps_keep_the_filters(moves: list[tuple[str, list[int]]]) -> None:
    exploration = Exploration()
    for kind, ids in moves:
        exploration = move(exploration, kind, ids)
        options = exploration.step.apply(START)
        request = SearchRequest(**options)
        assert (request.among, request.count, options["bpm"]) == (("genres:jazz",), 5, "0.9-1.1")
        assert not request.is_seedless
        origin = exploration.step.origin
        assert request.query[:2] == ((f"id:{origin}",) if origin else START["query"])[:2] or request.query[1] == ","
        assert all(f"id:{each}" in request.query for each in exploration.step.liked)
        assert all(f"id:{each}" in request.avoid for each in exploration.step.disliked)


def test_steps_of_a_search_in_words_or_from_a_file() -> None:
    options = {"text": "calm", "file": ["a.mp3"], "count": 3}
    assert Step().apply(options) == options
    assert Step(liked=(4,)).apply(options) == {**options, "query": ("id:4",)}
    assert Step(7).apply(options) == {"count": 3, "query": ("id:7",)}
    assert Step(7, (4,), (5, 6)).apply({"avoid": ("x",)}) == {
        "query": ("id:7", ",", "id:4"),
        "avoid": ("id:5", ",", "id:6"),
    }


def test_the_start_is_left_alone() -> None:
    assert Step().apply(START) == START
    assert alternatives(["a", "b"], [1, 2]) == ("a", "b", ",", "id:1", ",", "id:2")
    assert Exploration().like([]) == Exploration()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", [0]), (" 3 1 ", [2, 0]), ("1,3", [0, 2]), ("2-4", [1, 2, 3]), ("1 1-2", [0, 1]), ("ALL", [0, 1, 2, 3, 4])],
)
def test_places(text: str, expected: list[int]) -> None:
    assert parse_places(text, 5) == expected


@pytest.mark.parametrize("text", ["", "0", "6", "3-1", "1-6", "x", "-1", "1.5", "1--2", "1 x"])
def test_places_that_there_are_not(text: str) -> None:
    with pytest.raises(UserError, match="write numbers from 1 to 5, such as 1 3-5, or all, not"):
        parse_places(text, 5)


@given(st.text() | st.text("0123 -,al"), st.integers(1, 30))
def test_places_lie_in_the_list(text: str, count: int) -> None:
    try:
        places = parse_places(text, count)
    except UserError:
        return
    assert places
    assert {*places} <= {*range(count)}
    assert len({*places}) == len(places)
