"""Sound in the query language of the real `beet`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

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


def test_what_cannot_be_asked_is_one_sentence(songs: Home) -> None:
    assert songs.fails("ls", "similar:").startswith("invalid query: 'similar:': ")
    status, out, err = songs.run("ls", "similar:title:nothing")
    assert (status, out) == (0, "")
    assert err == "resonance: similar: no track matches title:nothing; try `beet ls title:nothing`\n"
