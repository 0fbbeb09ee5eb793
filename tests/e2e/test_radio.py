"""The real `beet` and a real MPD: queueing, and a radio on a terminal from its start to Ctrl-C."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import CTRL_C, Terminal, terminal
from tests.mpd_server import MpdServer, mpd_server, needs_mpd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.home import Home

pytestmark = needs_mpd


@contextmanager
def served(songs: Home, tmp_path: Path, password: str = "") -> Iterator[tuple[Home, MpdServer]]:
    """A clone of a library, configured for an MPD that has read its music."""
    clone = songs.clone(tmp_path / "clone")
    with mpd_server(songs.music, password) as server:
        mpd = {"host": "127.0.0.1", "port": server.port, "password": password}
        clone.configure(directory=str(songs.music), mpd=mpd, format_item="$title", resonance={"per_artist": 0})
        yield clone, server


def test_what_is_listed_is_queued(songs: Home, tmp_path: Path) -> None:
    with served(songs, tmp_path) as (home, server):
        lines = home.beet("similar", "-n", "3", "--mpd", "-p", "title:song 3")
        assert lines[3:] == ["3 tracks queued"]
        assert [f"{songs.music}/{name}" for name in server.queue()] == lines[:3]
        total = home.beet("playlist", "-n", "4", "--mpd", "title:song 3")
        assert total[-1] == "4 tracks queued"
        assert len(server.queue()) == 7


def test_a_radio_from_its_first_song_to_ctrl_c(songs: Home, tmp_path: Path) -> None:
    with served(songs, tmp_path, "secret") as (home, server), terminal(home, "radio", "title:song 3") as screen:
        screen.read_until("queued   Song 3\n")
        screen.read_until("playing  Song 3\n")
        screen.read_until("no other track fits, or all were played; what is queued plays on\n")
        queue = server.queue()
        assert len(queue) == len({*queue}) == 6
        restart(server, screen)
        with server.client() as client:
            assert [song["file"] for song in client.playlistinfo()] == queue
            client.clear()
            screen.read_until("nothing plays; the radio goes on with the next song\n")
        screen.press(CTRL_C)
        assert screen.finish() == 130
        assert "Traceback" not in screen.output


def restart(server: MpdServer, screen: Terminal) -> None:
    server.stop()
    screen.read_until("does not answer .*; trying again, after 1 s at first, then at most every 60 s\n")
    server.start()
    screen.read_until("MPD is back\n")


def test_a_radio_that_follows_what_plays(songs: Home, tmp_path: Path) -> None:
    with served(songs, tmp_path) as (home, server), terminal(home, "radio") as screen:
        screen.read_until("nothing plays; the radio goes on with the next song\n")
        with server.client() as client:
            name = next(entry["file"] for entry in client.listall() if "file" in entry)
            client.playid(client.addid(name))
        screen.read_until("playing  Song \\d\n")
        screen.read_until("queued   Song \\d\n")
        assert server.queue()[0] == name
        screen.press(CTRL_C)
        assert screen.finish() == 130


@pytest.mark.parametrize("arguments", [("radio",), ("similar", "--mpd", "title:song 3")])
def test_a_wrong_password_is_one_sentence(songs: Home, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with served(songs, tmp_path, "secret") as (home, server):
        mpd = {"host": "127.0.0.1", "port": server.port, "password": "other"}
        home.configure(directory=str(songs.music), mpd=mpd)
        assert home.fails(*arguments) == (
            f"error: {arguments[0]}: MPD at 127.0.0.1:{server.port} takes another password; set `password` under "
            "`mpd:` in beets' configuration\n"
        )


def test_what_cannot_be_is_one_sentence(songs: Home, tmp_path: Path) -> None:
    clone = songs.clone(tmp_path / "clone")
    clone.configure(directory=str(songs.music), mpd={"host": os.fspath(tmp_path / "socket")})
    for arguments, sentence in (
        (("radio",), f"MPD at {tmp_path}/socket does not answer (No such file or directory)"),
        (("radio", "title:nothing"), f"MPD at {tmp_path}/socket does not answer (No such file or directory)"),
        (
            ("radio", "--weights", "rhythm=2", "--like", "timbre"),
            "--weights and --like both weigh the facets; give one of them",
        ),
    ):
        assert clone.fails(*arguments) == f"error: radio: {sentence}\n"
