"""Texts that go to a terminal do nothing there but stand."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import neutralise, printable

TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u200e\u200f\u061c"


def acts(character: str) -> bool:
    """Whether a character is a control, ends a line or turns the writing, by Unicode's data."""
    return (
        unicodedata.category(character) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(character) in TURNING
        or character in MARKS
    )


@given(st.text())
def test_what_acts_becomes_a_space_and_all_else_stays(text: str) -> None:
    assert neutralise(text) == "".join(" " if acts(each) else each for each in text)
    assert not any(map(acts, printable(text.encode("utf-8", "surrogatepass"))))


def test_every_character_that_acts_is_known() -> None:
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    assert neutralise(every) == "".join(" " if acts(each) else each for each in every)


def test_what_the_user_wrote_stays() -> None:
    assert neutralise("a\tb\nc", "\t") == "a\tb c"
