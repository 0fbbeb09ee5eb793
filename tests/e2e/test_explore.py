"""`beet similar -i` on a terminal: each key, by scripts that type."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT
from tests.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home

PROMPT = r"➜[^?]*Quit\? "
PLACES = r"\(1-\d+[^)]*\) "


@pytest.fixture
def explorer(songs: Home, tmp_path: Path) -> Home:
    """The library, and a player that keeps what it is to play."""
    home = songs.clone(tmp_path / "home")
    record = (
        f"{sys.executable} -c 'import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])' $playlist {home.path}/played"
    )
    home.configure(directory=str(songs.music), play={"command": record})
    return home


def start(home: Home, *arguments: str) -> Terminal:
    environment = {**os.environ, "BEETSDIR": str(home.path), "PYTHONPATH": str(ROOT)}
    return Terminal([sys.executable, "-m", "beets", "similar", "-i", *arguments], environment)


def listed(printed: str) -> list[str]:
    """The titles of a numbered list."""
    rows = re.findall(r"^ *(\d+)\. +-?\d\.\d{3}  .* - (.*)$", printed, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*range(1, len(rows) + 1)]
    return [title for _, title in rows]


def choose(terminal: Terminal, key: str, places: str = "") -> str:
    terminal.type(key)
    if places:
        terminal.read_until(PLACES)
        terminal.type(places)
    return terminal.read_until(PROMPT)


def test_a_way_through_the_library(explorer: Home) -> None:
    def alone(*arguments: str) -> list[str]:
        return [line.rpartition(" - ")[2] for line in explorer.beet("similar", *arguments)]

    ids = {title: f"id:{item_id}" for item_id, title in explorer.titles().items()}
    with start(explorer, "-n", "3", "title:song 0") as terminal:
        shown = terminal.read_until(PROMPT)
        first = listed(shown)
        assert first == alone("-n", "3", "title:song 0")
        assert "Back" not in shown
        dived = choose(terminal, "2")
        assert listed(dived) == alone("-n", "3", ids[first[1]])
        assert "Back" in dived
        assert listed(choose(terminal, "b")) == first
        assert listed(choose(terminal, "d", "3")) == alone("-n", "3", ids[first[2]])
        assert listed(choose(terminal, "b")) == first
        more = listed(choose(terminal, "m", "1-2"))
        assert more == alone("-n", "3", "title:song 0", ",", ids[first[0]], ",", ids[first[1]])
        less = listed(choose(terminal, "L", "1"))
        seeds = ["title:song 0", ",", ids[first[0]], ",", ids[first[1]]]
        assert less == alone("-n", "3", *seeds, "--not", ids[more[0]])
        assert more[0] not in less
        terminal.type("q")
        assert terminal.finish()[0] == 0


def test_tracks_are_played_in_their_order(explorer: Home) -> None:
    with start(explorer, "-n", "3", "title:song 0") as terminal:
        titles = listed(terminal.read_until(PROMPT))
        choose(terminal, "p", "3 1")
        played = (explorer.path / "played").read_text(encoding="utf-8").splitlines()
        assert [next(title for title in titles if title in path) for path in played] == [titles[2], titles[0]]
        choose(terminal, "p", "all")
        assert len((explorer.path / "played").read_text(encoding="utf-8").splitlines()) == 3


def test_tracks_are_added_to_a_file(explorer: Home, tmp_path: Path) -> None:
    target = tmp_path / "evening.m3u8"
    with start(explorer, "-n", "3", "title:song 0") as terminal:
        titles = listed(terminal.read_until(PROMPT))
        for places, name, expected in (
            ("1", str(target), f"1 track added to {target}"),
            ("all", "", f"2 tracks added to {target}, 1 track not: in it already"),
            ("1", str(tmp_path / "evening.txt"), "a playlist file ends in .m3u8 or .m3u, not "),
        ):
            terminal.type("a")
            terminal.read_until(PLACES)
            terminal.type(places)
            terminal.read_until("Playlist file.*: ")
            terminal.type(name)
            assert expected in terminal.read_until(PROMPT)
    lines = target.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line.rpartition(" - ")[2] for line in lines if line.startswith("#EXTINF")] == titles


def test_what_cannot_be_done_leaves_the_list(explorer: Home) -> None:
    with start(explorer, "-n", "3", "--from", "title:song 1", "title:song 0") as terminal:
        assert listed(terminal.read_until(PROMPT)) == ["Song 1"]
        answer = choose(terminal, "l", "1")
        assert "no other track that matches --from" in answer or "no track is left" in answer
        assert "write numbers from 1 to 1" in choose(terminal, "p", "2")
        terminal.type("x")
        assert "Enter one of" in terminal.read_until(r"\? $|: $")
        terminal.type("q")
        assert terminal.finish()[0] == 0


def test_the_end_of_the_input(explorer: Home) -> None:
    with start(explorer, "title:song 0") as terminal:
        terminal.read_until(PROMPT)
        terminal.press(b"\x04")
        status, text = terminal.finish()
    assert "Traceback" not in text
    assert status == 0


def test_an_interrupt(explorer: Home) -> None:
    with start(explorer, "title:song 0") as terminal:
        terminal.read_until(PROMPT)
        terminal.process.send_signal(signal.SIGINT)
        _, text = terminal.finish()
    assert text.strip() in ("", "^C"), "as beets itself ends"


def test_without_a_terminal(explorer: Home) -> None:
    assert explorer.fails("similar", "-i", "title:song 0") == (
        "error: similar: -i asks questions on a terminal, and here is none; leave it out to get the list alone\n"
    )
    for option in ("--json", "--album", "--artists"):
        assert explorer.fails("similar", "-i", option, "title:song 0") == (
            f"error: similar: {option} takes no --interactive\n"
        )
