"""A recipe comes back as it was written, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist.recipe import LONGEST, compare_lists, drop_invalid, read_recipe, write_recipe
from resonance_engine.records import describe_type

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "a text": st.text(),
    "a list of texts": st.lists(st.text(), max_size=3),
    "a whole number": st.integers(-(2**62), 2**62),
    "a number": st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False),
    "true or false": st.booleans(),
}
TYPES: dict[str, Any] = {
    "query": list[str],
    "file": list[str],
    "avoid": list[str],
    "via": list[str],
    "to": str,
    "weights": str,
    "count": int,
    "seed": int,
    "minutes": float,
    "absolute": bool,
}
RECIPES = st.fixed_dictionaries({}, optional={name: VALUES[describe_type(kind)] for name, kind in TYPES.items()})


@given(RECIPES)
def test_a_recipe_is_one_line_that_says_the_same_when_read(options: dict[str, Any]) -> None:
    text = write_recipe(options)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert read_recipe(text, TYPES) == options


def test_the_format() -> None:
    recipe = write_recipe({"query": ["artist:björk", "year:1997.."], "count": 20, "seed": 0})
    assert recipe == '{"version":1,"query":["artist:bj\\u00f6rk","year:1997.."],"count":20,"seed":0}'
    assert read_recipe(recipe, TYPES) == {
        "query": ["artist:björk", "year:1997.."],
        "count": 20,
        "seed": 0,
    }


def test_a_file_whose_name_is_no_text_is_found_again() -> None:
    name = os.fsdecode(b"caf\xe9.mp3")
    options = read_recipe(write_recipe({"file": [name]}), TYPES)
    assert os.fsencode(options["file"][0]) == b"caf\xe9.mp3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version":1,"tempo":3}', 'The recipe has the option "tempo", which this version of Resonance does not know'),
        ('{"version":2,"query":["x"]}', "The recipe is of version 2; this version of Resonance understands 1."),
        ('{"version":1,"count":"many"}', 'The recipe\'s option count should be a whole number, not "many".'),
        ('{"version":1,"count":true}', "should be a whole number, not true"),
        ('{"version":1,"count":1.5}', "should be a whole number, not 1.5"),
        ('{"version":1,"count":' + "9" * 30 + "}", "should be a whole number, not 999"),
        ('{"version":1,"minutes":NaN}', "should be a number, not NaN"),
        ('{"version":1,"minutes":1e999}', "should be a number, not Infinity"),
        ('{"version":1,"query":"x"}', 'The recipe\'s option query should be a list of texts, not "x".'),
        ('{"version":1,"query":[1]}', "should be a list of texts, not a list"),
        ('{"version":1,"weights":{"timbre":2}}', "should be a text, not an object"),
        ('{"version":1,"to":"' + "x" * 99 + '","via":null}', "option via should be a list of texts, not null"),
        ('{"version":1,"absolute":0}', "should be true or false, not 0"),
        ('{"query":["x"]}', "says no version"),
        ('{"version":true}', "says no version"),
        ("[1]", "says no version"),
        ("null", "says no version"),
        ("", 'The recipe "" is not JSON; make the playlist anew.'),
        ("{", "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[" * 90_000, "is not JSON"),
        ('{"version":1,"count":' + "9" * 5000 + "}", "is not JSON"),
        (" " * (LONGEST + 1), "longer than 100,000 characters"),
    ],
)
def test_what_is_no_recipe(text: str, said: str) -> None:
    with pytest.raises(PlaylistError) as error:
        read_recipe(text, TYPES)
    assert said in str(error.value)
    assert len(str(error.value)) < 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(list(TYPES)), inner),
    max_leaves=8,
)


@given(st.text() | JSON.map(json.dumps) | st.dictionaries(st.sampled_from(["version", *TYPES]), JSON).map(json.dumps))
def test_any_text_is_a_recipe_or_refused_as_none(text: str) -> None:
    with contextlib.suppress(PlaylistError):
        options = read_recipe(text, TYPES)
        assert read_recipe(write_recipe(options), TYPES) == options


KEYS = st.lists(st.sampled_from("abcdefgh"), max_size=8)


@given(old=KEYS, fresh=KEYS.map(lambda keys: list(dict.fromkeys(keys))), gone=st.sets(st.sampled_from("abcdefgh")))
def test_a_list_made_again_keeps_what_holds_in_its_order_and_accounts_for_the_rest(
    old: list[str], fresh: list[str], gone: set[str]
) -> None:
    kept, dropped = drop_invalid(old, lambda key: "is gone" if key in gone else None)
    assert kept == [key for key in dict.fromkeys(old) if key not in gone]
    assert sorted(kept + [key for key, _ in dropped]) == sorted(old)
    new = [*kept, *(key for key in fresh if key not in kept and key not in gone)]
    found = compare_lists(old, new, dropped)
    assert list(found.kept) == kept
    assert [*found.kept, *found.added] == new
    assert sorted((*found.kept, *(key for key, _ in found.dropped))) == sorted(
        kept
        + list(dict.fromkeys(key for key, why in dropped if why == "is gone"))
        + [key for key, why in dropped if why != "is gone"]
    )


def test_the_difference_in_words() -> None:
    kept, dropped = drop_invalid("abca", {"b": "is no longer in the library"}.get)
    found = compare_lists("abca", ["a", "d"], dropped)
    assert kept == ["a", "c"]
    assert found.lines(str.upper) == [
        "- B: is no longer in the library",
        "- C: gave way to others",
        "- A: is in the list twice",
        "+ D",
    ]
    assert str(found) == "1 kept, 3 dropped, 1 added"
    assert compare_lists("ab", "ab", []).lines(str) == []
