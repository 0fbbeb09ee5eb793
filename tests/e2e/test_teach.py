"""`beet resonance teach` on a terminal: a question, its keys, and what the answers are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.terminal import CTRL_C, terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home

PROMPT = r"➜[^?]*Quit\? "


def test_questions_are_answered_skipped_and_left(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    home.configure(directory=str(songs.music))
    titles = list(home.titles().values())
    for number, title in enumerate(titles):
        home.beet("modify", "-y", "-W", "-M", f"title:={title}", f"album=Album {number}", "album_id=")
    with terminal(home, "resonance", "teach") as shown:
        first = shown.read_until(PROMPT)
        assert "1 of 10: what is more like " in first
        shown.type("1")
        assert "2 of 10: " in shown.read_until(PROMPT)
        shown.type("s")
        assert "3 of 10: " in shown.read_until(PROMPT)
        shown.type("2")
        shown.read_until(PROMPT)
        shown.type("q")
        assert shown.finish() == 0
    assert "2 answers: " in shown.output
    assert (
        "control questions, which tell whether that is better than without them, come after the first few"
        in shown.output
    )
    assert len(home.beet("resonance", "teach", "--list")) == 2
    assert len(home.beet("similar", "--taste", "-n", "2", "title:song 0")) == 2


def test_without_a_terminal_nothing_is_asked(songs: Home) -> None:
    assert (
        songs.fails("resonance", "teach") == "error: resonance: teach asks questions on a terminal, and here is none\n"
    )


def test_an_interrupt_keeps_the_answers(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    home.configure(directory=str(songs.music))
    for number, title in enumerate(home.titles().values()):
        home.beet("modify", "-y", "-W", "-M", f"title:={title}", f"album=Album {number}", "album_id=")
    with terminal(home, "resonance", "teach") as shown:
        shown.read_until(PROMPT)
        shown.type("1")
        shown.read_until(PROMPT)
        shown.wait_until_asleep()
        shown.press(CTRL_C)
        assert shown.finish() == 130
    assert "Traceback" not in shown.output
    assert len(home.beet("resonance", "teach", "--list")) == 1
