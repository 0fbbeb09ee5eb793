"""Sound in the query language of the real `beet`."""

from __future__ import annotations

import hashlib
import json
import socket
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home


def test_a_smart_playlist_is_what_a_ranked_list_is(songs: Home, tmp_path: Path) -> None:
    clone = songs.clone(tmp_path / "clone")
    before = hashlib.sha256(clone.library.read_bytes()).digest()
    query = "similar:3:'title:song 3' similarity-"
    playlists = {"playlist_dir": str(tmp_path), "auto": False, "playlists": [{"name": "alike.m3u", "query": query}]}
    clone.configure(directory=str(songs.music), plugins=["resonance", "smartplaylist"], smartplaylist=playlists)
    clone.beet("splupdate")
    lines = clone.beet("ls", "-f", "$similarity $res_bpm $res_timbre $path", "similar:3:title:song 3", "similarity-")
    listed = [line.split(" ", 3) for line in lines]
    assert (tmp_path / "alike.m3u").read_text(encoding="utf-8").splitlines() == [path for *_, path in listed]
    assert [float(score) for score, *_ in listed] == sorted((float(score) for score, *_ in listed), reverse=True)
    assert all(100 < float(tempo) < 140 and 0 < float(share) < 1 for _, tempo, share, _ in listed)
    assert len(listed) == 3
    assert hashlib.sha256(clone.library.read_bytes()).digest() == before


def test_other_commands_take_the_query_unaided(songs: Home, tmp_path: Path) -> None:
    """As the README promises: `play`, `stats` and what the web plugin answers, which parses queries as they do."""
    clone = songs.clone(tmp_path / "clone")
    clone.configure(directory=str(songs.music), plugins=["resonance", "play"], play={"command": "echo", "raw": True})
    paths = clone.beet("ls", "-p", "similar:3:title:song 3", "similarity-")
    assert len(paths) == 3
    assert clone.beet("play", "similar:3:title:song 3", "similarity-")[1:] == [" ".join(paths)]
    assert clone.beet("stats", "similar:3:title:song 3")[0] == "Tracks: 3"


def test_web_takes_the_query_unaided(songs: Home, tmp_path: Path) -> None:
    pytest.importorskip("flask", reason="`beet web` needs beets[web]")
    clone = songs.clone(tmp_path / "clone")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    web = {"host": "127.0.0.1", "port": port}
    clone.configure(directory=str(songs.music), plugins=["resonance", "web"], web=web)
    expected = clone.beet("ls", "-f", "$id", "similar:3:title:song 3", "similarity-")
    with clone.process("web") as process:
        try:
            answer = fetch_json(f"http://127.0.0.1:{port}/item/query/similar:3:title:song%203/similarity-")
        finally:
            process.terminate()
    assert [str(item["id"]) for item in answer["results"]] == expected


def fetch_json(address: str) -> Any:
    """Fetch JSON from a server that is starting."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(address) as answer:  # noqa: S310 - the test's own server
                return json.load(answer)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


def test_what_cannot_be_asked_is_one_sentence(songs: Home) -> None:
    assert songs.fails("ls", "similar:").startswith("invalid query: 'similar:': ")
    status, out, err = songs.run("ls", "similar:title:nothing")
    assert (status, out) == (0, "")
    assert err == "resonance: similar: no track matches title:nothing; try `beet ls title:nothing`\n"
