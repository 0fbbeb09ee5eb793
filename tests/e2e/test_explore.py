"""`beet similar -i` on a terminal: each key, by scripts that type."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import CTRL_C, CTRL_D, Terminal, terminal

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


def listed(printed: str) -> list[str]:
    """The titles of a numbered list."""
    rows = re.findall(r"^ *(\d+)\. +-?\d\.\d{3}  .* - (.*)$", printed, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*range(1, len(rows) + 1)]
    return [title for _, title in rows]


def choose(shown: Terminal, key: str, places: str = "") -> str:
    shown.type(key)
    if places:
        shown.read_until(PLACES)
        shown.type(places)
    return shown.read_until(PROMPT)


def test_a_way_through_the_library(explorer: Home) -> None:
    def alone(*arguments: str) -> list[str]:
        return [line.rpartition(" - ")[2] for line in explorer.beet("similar", *arguments)]

    ids = {title: f"id:{item_id}" for item_id, title in explorer.titles().items()}
    with terminal(explorer, "similar", "-i", "-n", "3", "title:song 0") as shown:
        start = shown.read_until(PROMPT)
        first = listed(start)
        assert first == alone("-n", "3", "title:song 0")
        assert "Back" not in start
        assert "like " not in start.partition("Play")[0]
        dived = choose(shown, "2")
        assert listed(dived) == alone("-n", "3", ids[first[1]])
        assert "Back" in dived
        assert re.search(rf"^like .* - {first[1]}$", dived, re.MULTILINE)
        assert listed(choose(shown, "b")) == first
        assert listed(choose(shown, "d", "3")) == alone("-n", "3", ids[first[2]])
        assert listed(choose(shown, "b")) == first
        more = listed(choose(shown, "m", "1-2"))
        assert more == alone("-n", "3", "title:song 0", ",", ids[first[0]], ",", ids[first[1]])
        less = listed(choose(shown, "L", "1"))
        seeds = ["title:song 0", ",", ids[first[0]], ",", ids[first[1]]]
        assert less == alone("-n", "3", *seeds, "--not", ids[more[0]])
        assert more[0] not in less
        shown.type("q")
        assert shown.finish() == 0


def test_tracks_are_played_in_their_order(explorer: Home) -> None:
    with terminal(explorer, "similar", "-i", "-n", "3", "title:song 0") as shown:
        titles = listed(shown.read_until(PROMPT))
        choose(shown, "p", "3 1")
        played = (explorer.path / "played").read_text(encoding="utf-8").splitlines()
        assert [next(title for title in titles if title in path) for path in played] == [titles[2], titles[0]]
        choose(shown, "p", "all")
        assert len((explorer.path / "played").read_text(encoding="utf-8").splitlines()) == 3


def test_tracks_are_added_to_a_file(explorer: Home, tmp_path: Path) -> None:
    target = tmp_path / "evening.m3u8"
    with terminal(explorer, "similar", "-i", "-n", "3", "title:song 0") as shown:
        titles = listed(shown.read_until(PROMPT))
        for places, name, expected in (
            ("1", str(target), f"1 track added to {target}"),
            ("all", "", f"2 tracks added to {target}, 1 track not: in it already"),
            ("1", str(tmp_path / "evening.txt"), "takes the name of a file that ends in .m3u8 or .m3u, not "),
        ):
            shown.type("a")
            shown.read_until(PLACES)
            shown.type(places)
            shown.read_until("Playlist file.*: ")
            shown.type(name)
            assert expected in shown.read_until(PROMPT)
    lines = target.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line.rpartition(" - ")[2] for line in lines if line.startswith("#EXTINF")] == titles


def test_what_cannot_be_done_leaves_the_list(explorer: Home) -> None:
    with terminal(explorer, "similar", "-i", "-n", "3", "--from", "title:song 1", "title:song 0") as shown:
        assert listed(shown.read_until(PROMPT)) == ["Song 1"]
        answer = choose(shown, "l", "1")
        assert "no other track that matches --from" in answer or "no track is left" in answer
        assert "write numbers from 1 to 1" in choose(shown, "p", "2")
        for key in "dmlpa":  # an empty answer is the way back
            shown.type(key)
            shown.read_until(PLACES)
            shown.type("")
            assert shown.read_until(PROMPT).startswith("\n➜")
        missing = explorer.path / "no such folder" / "evening.m3u8"
        for name, expected in (("", "➜"), (str(missing), f"similar -i: there is no folder {missing.parent}")):
            shown.type("a")
            shown.read_until(PLACES)
            shown.type("1")
            shown.read_until("Playlist file.*: ")
            shown.type(name)
            assert shown.read_until(PROMPT).split("\n")[1].startswith(expected)
        shown.type("x")
        assert "Enter one of" in shown.read_until(r"\? $|: $")
        shown.type("q")
        assert shown.finish() == 0


def test_the_end_of_the_input(explorer: Home) -> None:
    with terminal(explorer, "similar", "-i", "title:song 0") as shown:
        shown.read_until(PROMPT)
        shown.press(CTRL_D)
        assert shown.finish() == 0
    assert "Traceback" not in shown.output


def test_an_interrupt(explorer: Home) -> None:
    with terminal(explorer, "similar", "-i", "title:song 0") as shown:
        shown.read_until(PROMPT)
        shown.wait_until_asleep()
        shown.press(CTRL_C)
        shown.finish()
    assert shown.output[shown.seen :].strip() in ("", "^C"), "as beets itself ends"


def test_without_a_terminal(explorer: Home) -> None:
    assert explorer.fails("similar", "-i", "title:song 0") == (
        "error: similar: -i asks questions on a terminal, and here is none; leave it out to get the list alone\n"
    )
    for option in ("--json", "--album", "--artists"):
        assert explorer.fails("similar", "-i", option, "title:song 0") == (
            f"error: similar: {option} takes no --interactive\n"
        )
