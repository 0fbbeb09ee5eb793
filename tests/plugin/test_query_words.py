"""The grammar of query text: the same for options, `similar:`, profiles, `exclude` and `apart`."""

from __future__ import annotations

import pytest
from beets.exceptions import UserError
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.config.options import split_option, split_query


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("genres:jazz year:..1960", ["genres:jazz", "year:..1960"]),
        ("artist:'miles davis'", ["artist:miles davis"]),
        ("title:don't stop", ["title:don't stop"]),
        ("title:don't stop year:1977", ["title:don't stop", "year:1977"]),
        ("artist:miles davis ^live", ["artist:miles davis", "^live"]),
        ("a , b", ["a", ",", "b"]),
        ("'' a", ["a"]),
    ],
)
def test_a_query_in_one_text(query: str, expected: list[str]) -> None:
    assert split_option(query, "similar --from") == expected


@pytest.mark.parametrize("query", ["", " ", "''"])
def test_a_query_without_words(query: str) -> None:
    """It would match everything."""
    with pytest.raises(UserError) as caught:
        split_option(query, "similar --not")
    assert str(caught.value) == "similar --not: a query is missing, for example `--not genres:jazz`"


def test_several_queries_are_any_of_them() -> None:
    assert split_option(["a b", "c", "d , e"], "--not") == ["a", "b", ",", "c", ",", "d", ",", "e"]


@given(st.text() | st.text("1:'\"\\ a,^-\u00e9"))
def test_any_text_is_split_into_words(text: str) -> None:
    words = split_query(text)
    assert all(words)
