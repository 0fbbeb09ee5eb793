"""A passage as it is written, and what is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.audio.passage import Passage, format_time, make_passage, parse_passage
from resonance_engine.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("1:20-1:50", (80.0, 110.0)),
        ("80-110", (80.0, 110.0)),
        ("1:02:03-1:02:30", (3723.0, 3750.0)),
        ("0:00-0:03", (0.0, 3.0)),
        ("1.1-4.1", (1.1, 4.1)),
        ("59:30-1:00:00", (3570.0, 3600.0)),
        (" 1:20.5 \u2013 1:50 ", (80.5, 110.0)),
        ("90:00-91:30", (5400.0, 5490.0)),
        ("80-1:50", (80.0, 110.0)),
    ],
)
def test_ways_to_write_a_passage(text: str, passage: tuple[float, float]) -> None:
    assert parse_passage(text) == passage


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "A passage is written as 1:20-1:50, or in seconds as 80-110, not as ''."),
        ("1:20", "A passage is written as 1:20-1:50, or in seconds as 80-110, not as '1:20'."),
        ("-5-10", "A passage is written as 1:20-1:50, or in seconds as 80-110, not as '-5-10'."),
        ("1:20-", "not as '1:20-'"),
        ("1e3-2e3", "not as '1e3-2e3'"),
        ("1:2:3:4-1:2:3:8", "not as '1:2:3:4-1:2:3:8'"),
        ("\u0661-\u0669", "A passage is written as"),
        ("1:50-1:20", "The passage 1:50-1:20 ends before it begins; write the earlier time first."),
        ("1:20-1:22", "The passage 1:20-1:22 lasts 2 s; at least 3 s are needed."),
        ("7-7", "The passage 0:07-0:07 lasts 0 s; at least 3 s are needed."),
        ("1:75-2:50", "In the passage '1:75-2:50' a time has more than 59 minutes or seconds"),
        ("1:60:00-1:70:00", "In the passage '1:60:00-1:70:00' a time has more than 59 minutes or seconds"),
    ],
)
def test_what_is_no_passage_is_said_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_passage(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("start", "end"), [(-1.0, 5.0), (1.0, math.inf), (math.nan, 5.0), (1.0, math.nan), (9.0, 2.0), (1.0, 3.9)]
)
def test_numbers_that_are_no_passage_are_refused(start: float, end: float) -> None:
    with pytest.raises(ConfigError, match="passage"):
        make_passage(start, end)


@given(milliseconds=st.integers(0, 300_000_000), length=st.integers(3_000, 10_000_000))
def test_a_passage_that_is_shown_is_read_back(milliseconds: int, length: int) -> None:
    passage = Passage(milliseconds / 1000, (milliseconds + length) / 1000)
    assert parse_passage(str(passage)) == pytest.approx(passage, abs=1e-6)


@given(st.text(alphabet="0123456789:.- \u2013\u0661x", max_size=20) | st.text())
def test_any_text_is_a_passage_or_refused(text: str) -> None:
    try:
        start, end = parse_passage(text)
    except ConfigError:
        return
    assert 0 <= start <= end - 2.999


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0:00"), (80.0, "1:20"), (3723.0, "1:02:03"), (80.5, "1:20.5"), (59.9996, "1:00")]
)
def test_a_clock_shows_what_players_show(seconds: float, shown: str) -> None:
    assert format_time(seconds) == shown
