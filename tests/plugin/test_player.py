"""The player of `beet play`: the words of its command line, the playlist it is given, and what goes wrong."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
from beets import config
from beets.exceptions import UserError

from beetsplug.resonance.commands.player import play, player_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD = """\
import pathlib, sys
target, *rest = sys.argv[1:]
lists = [pathlib.Path(word).read_bytes() for word in rest if word.endswith(".m3u")]
files = [word.encode() + b"\\n" for word in rest if not word.endswith(".m3u")]
pathlib.Path(target).write_bytes(b"".join(files + lists))
"""


@pytest.mark.parametrize(
    ("command", "is_raw", "expected"),
    [
        ("mpv", False, ["mpv", "L"]),
        ("mpv --shuffle", False, ["mpv", "--shuffle", "L"]),
        ("mpv $args --x", False, ["mpv", "--x", "L"]),
        ("mpv --playlist=$playlist --x", False, ["mpv", "--playlist=L", "--x"]),
        ("'/opt/my player/run' $playlist", False, ["/opt/my player/run", "L"]),
        ("mpv; rm -rf $HOME", False, ["mpv;", "rm", "-rf", "$HOME", "L"]),
        ("mpv $playlist --x", True, ["mpv", "--x", "a b", "c"]),
        ("mpv", True, ["mpv", "a b", "c"]),
    ],
)
def test_words_of_the_command_line(command: str, is_raw: bool, expected: list[str]) -> None:
    assert player_words(command, [b"a b", b"c"] if is_raw else [b"L"], is_raw) == expected


class TestPlay:
    @pytest.fixture(autouse=True)
    def _configured(self, tmp_path: Path) -> Iterator[None]:
        (tmp_path / "record.py").write_text(RECORD, encoding="utf-8")
        self.record = tmp_path / "played"
        self.words = [sys.executable, str(tmp_path / "record.py"), str(self.record)]
        config.clear()
        config.read(user=False)
        yield
        config.clear()

    def configure(self, **settings: Any) -> None:
        config["play"].set({"command": shlex.join(self.words), **settings})

    def test_a_playlist(self) -> None:
        self.configure()
        play([b"/music/b.mp3", b"/music/a c.mp3"])
        assert self.record.read_bytes() == b"/music/b.mp3\n/music/a c.mp3\n"

    def test_files(self) -> None:
        self.configure(raw=True)
        play([b"/music/b.mp3", b"/music/a c.mp3"])
        assert self.record.read_bytes() == b"/music/b.mp3\n/music/a c.mp3\n"

    def test_relative_paths_after_a_byte_order_mark(self) -> None:
        self.configure(relative_to="/music", bom=True)
        play([b"/music/b.mp3"])
        assert self.record.read_bytes() == b"\xef\xbb\xbfb.mp3\n"

    def test_missing_player_raises_user_error(self) -> None:
        config["play"].set({"command": "/nowhere/player --x"})
        with pytest.raises(UserError, match=r"/nowhere/player cannot be started .*; set play.command to a player"):
            play([b"/music/b.mp3"])

    def test_a_player_that_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        config["play"].set({"command": f"{sys.executable} -c 'import sys; sys.exit(3)'"})
        play([b"/music/b.mp3"])
        assert capsys.readouterr().out == f"{sys.executable} ended with status 3\n"
