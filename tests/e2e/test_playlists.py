"""A playlist in the real `beet`: into a pipe, into a file, and made again when the library has changed."""

from __future__ import annotations

import json
import os
from io import TextIOWrapper
from pathlib import Path

import pytest

from resonance_engine.playlist import m3u
from tests.e2e.home import Home, new_home, song


def test_a_pipe_gets_paths_or_json_and_nothing_else(songs: Home) -> None:
    wanted = ("playlist", "-n", "3", "--per-artist", "0", "--per-album", "0", "--spacing", "0", "title:song 3")
    status, out, err = songs.run(*wanted, "--paths")
    assert (status, err) == (0, "")
    assert [row["path"] for row in json.loads("\n".join(songs.beet(*wanted, "--json")))] == out.splitlines()
    assert songs.fails(*wanted, "--works", "alone") == (
        "error: playlist: Works can be together, avoid or ignore, not 'alone'\n"
    )


@pytest.mark.slow
def test_a_file_is_made_again_after_the_library_changed(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "clone")
    target = tmp_path / "evening.m3u8"
    home.beet("playlist", "-n", "4", "-o", str(target), "title:song 3", "--to", "title:song 0")
    before = m3u.read_playlist(target)
    paths = [entry.path for entry in before.entries]
    assert home.beet("playlist", "--refresh", str(target)) == [f"{target}: 4 kept, 0 dropped, 0 added"]
    home.beet("remove", "-f", f"path:{os.fsdecode(paths[1])}")
    told = home.beet("playlist", "--refresh", "--pretend", str(target))
    assert m3u.read_playlist(target) == before
    assert home.beet("playlist", "--refresh", str(target)) == told
    assert told[0] == f"{target}: 3 kept, 1 dropped, 1 added"
    after = m3u.read_playlist(target)
    assert after.recipe == before.recipe
    made = [entry.path for entry in after.entries]
    assert (made[0], made[-1], len(set(made))) == (paths[0], paths[-1], 4)
    assert [path for path in made if path in paths] == [path for path in paths if path != paths[1]]
    assert (target.parent / "plain.m3u").write_text("x.flac\n")
    assert "has no recipe" in home.fails("playlist", "--refresh", str(tmp_path / "plain.m3u"))


@pytest.mark.slow
def test_names_that_are_no_text_go_through_byte_for_byte(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    home.configure(**{"import": {"copy": False, "write": False, "autotag": False, "quiet": True}})
    for number, name in enumerate((b"caf\xe9.flac", b"plain.flac", b"\xff\xfe #1.flac")):
        song(tmp_path / "inbox" / "x.flac", f"Song {number}", number).rename(
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/inbox/" + name))
        )
    home.beet("import", str(tmp_path / "inbox"))
    target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xefste.m3u8"))
    home.beet("playlist", "-o", str(target), "title:song 0")
    entries = [entry.path for entry in m3u.read_playlist(target).entries]
    assert sorted(Path(os.fsdecode(entry)) for entry in entries) == sorted((tmp_path / "inbox").iterdir())
    with home.process("playlist", "--paths", "title:song 0") as process:
        assert isinstance(process.stdout, TextIOWrapper)
        assert process.stdout.buffer.read().splitlines() == entries
    rows = json.loads("\n".join(home.beet("playlist", "--json", "title:song 0")))
    assert [os.fsencode(row["path"]) for row in rows] == entries
    home.beet("remove", "-f", "title:song 1")
    home.beet("playlist", "--refresh", str(target))
    assert [entry.path for entry in m3u.read_playlist(target).entries] == [
        each for each in entries if b"plain" not in each
    ]
