"""Output on terminals: a line that is replaced in place, bars with pace and time left."""

from __future__ import annotations

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.console import (
    CLEAR_LINE,
    StatusLine,
    blend_pace,
    character_columns,
    fit_columns,
    format_pace,
    progress_bar,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(Terminal):
    def flush(self) -> None:
        raise OSError(5, "Input/output error")


def test_the_line_is_replaced_and_removed() -> None:
    terminal = Terminal()
    line = StatusLine(terminal)
    line.show("one")
    line.show("one")
    line.show("two")
    assert terminal.getvalue() == f"{CLEAR_LINE}one{CLEAR_LINE}two"
    line.clear()
    line.clear()
    assert terminal.getvalue() == f"{CLEAR_LINE}one{CLEAR_LINE}two{CLEAR_LINE}"


@pytest.mark.parametrize("line", [StatusLine(io.StringIO()), StatusLine(Terminal(), enabled=False)])
def test_nothing_is_written_elsewhere(line: StatusLine) -> None:
    line.show("one")
    line.clear()
    assert isinstance(line.stream, io.StringIO)
    assert line.stream.getvalue() == ""


def test_status_line_survives_a_closed_terminal() -> None:
    line = StatusLine(Closed())
    line.show("one")
    line.clear()


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("Elf Land", 8, "Elf Land"),
        ("Elf Land", 7, "Elf La…"),
        ("東京タワー", 10, "東京タワー"),
        ("東京タワー", 9, "東京タワ…"),
        ("東京タワー", 8, "東京タ…"),
        ("e\u0301te\u0301", 3, "e\u0301te\u0301"),
        ("a\nb\x1b[2Jc", 20, "a b [2Jc"),
        ("abc", 0, "…"),
    ],
)
def test_a_text_that_is_cut(text: str, columns: int, shown: str) -> None:
    assert fit_columns(text, columns) == shown


@given(st.text(), st.integers(1, 40))
def test_a_text_fits(text: str, columns: int) -> None:
    shown = fit_columns(text, columns)
    assert sum(map(character_columns, shown)) <= columns
    assert not any(character < " " for character in shown)


@pytest.mark.parametrize(
    ("seconds", "unit", "shown"),
    [
        (None, "track", "? tracks/s"),
        (0.25, "track", "4.0 tracks/s"),
        (7, "track", "7.0 s/track"),
        (2, "song", "2.0 s/song"),
    ],
)
def test_format_pace(seconds: float | None, unit: str, shown: str) -> None:
    assert format_pace(seconds, unit) == shown


def test_an_estimate_begins_from_what_is_expected_and_ends_at_what_is_measured() -> None:
    assert blend_pace(0.5, 0.0, 0) == 0.5
    assert blend_pace(0.5, 12.0, 2) == pytest.approx(1.6)
    assert blend_pace(0.5, 2000.0, 1000) == pytest.approx(2.0, rel=0.02)


def test_a_bar_shows_pace_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_bar(12, 0.5, dynamic_ncols=False, ncols=100) as bar:
        bar.update(1)
    first, *_ = terminal.getvalue().split("\r")[1:]
    assert "0/12 [00:00<00:06, ? tracks/s]" in first
    assert list(progress_bar(2, iterable=["a", "b"])) == ["a", "b"]


def test_a_process_has_one_thread_for_all_its_bars() -> None:
    with progress_bar(1):
        threads = {*threading.enumerate()}
    for total, expected in ((2, 0.5), (0, None), (None, None)):
        with progress_bar(total, expected):
            pass
    assert {*threading.enumerate()} <= threads
