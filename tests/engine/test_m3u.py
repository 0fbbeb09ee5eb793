"""Playlist files lead to the files they name, whatever those are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine import m3u
from resonance_engine.m3u import Entry

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & set(b"/\0\r\n") and name.strip(b"."))


def entry(path: bytes, seconds: float = 61.4, artist: str = "Can", title: str = "Vitamin C") -> Entry:
    return Entry(path, seconds, artist, title)


def targets(playlist: bytes, folder: bytes) -> list[bytes]:
    """The files that a player finds: lines that do not begin with #, from the playlist's folder."""
    lines = playlist.split(b"\n")
    return [os.path.normpath(os.path.join(folder, line)) for line in lines if line and line[:1] != b"#"]  # noqa: PTH118


def test_the_format() -> None:
    made = m3u.content([entry(b"/music/Can/c.mp3"), entry(b"/lists/a.mp3", 0.0, "", "A")], b"/lists")
    assert made == b"#EXTM3U\n#EXTINF:61,Can - Vitamin C\n../music/Can/c.mp3\n#EXTINF:-1,A\na.mp3\n"


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=4), st.lists(NAMES, max_size=2))
def test_every_name_leads_to_its_file_byte_for_byte(paths: list[list[bytes]], folder: list[bytes]) -> None:
    files = [b"/" + b"/".join(parts) for parts in paths]
    home = b"/" + b"/".join(folder)
    assert targets(m3u.content([entry(file) for file in files], home), home) == files


@pytest.mark.parametrize("name", [b"#1 hit.mp3", b"#EXTM3U", b"caf\xe9.mp3", "日本.mp3".encode()])
def test_odd_names(tmp_path: Path, name: bytes) -> None:
    file = os.fsencode(tmp_path) + b"/" + name
    assert m3u.write(tmp_path / "list.m3u8", [entry(file)]) == 1
    assert targets((tmp_path / "list.m3u8").read_bytes(), os.fsencode(tmp_path)) == [file]


@pytest.mark.parametrize("name", [b"two\nlines.mp3", b"two\rlines.mp3"])
def test_a_name_that_no_line_can_hold_is_left_out(tmp_path: Path, name: bytes) -> None:
    assert m3u.write(tmp_path / "list.m3u8", [entry(b"/m/" + name), entry(b"/m/good.mp3")]) == 1
    assert (tmp_path / "list.m3u8").read_bytes().count(b"#EXTINF") == 1


@pytest.mark.parametrize("title", ["one\ntwo", "one\r\n#EXTINF:1,two", "one\u2028two", os.fsdecode(b"\xff")])
def test_a_title_stays_on_its_line_and_is_text(title: str) -> None:
    made = m3u.content([entry(b"/m/a.mp3", title=title)], b"/m")
    assert len(made.decode().splitlines()) == 3


def test_a_linked_folder_is_left_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "disk" / "lists").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lists").symlink_to(tmp_path / "disk" / "lists")
    song = tmp_path / "home" / "song.mp3"
    song.write_bytes(b"music")
    m3u.write(tmp_path / "home" / "lists" / "list.m3u8", [entry(os.fsencode(song))])
    last = (tmp_path / "home" / "lists" / "list.m3u8").read_text().splitlines()[-1]
    assert (tmp_path / "home" / "lists" / last).read_bytes() == b"music"


def test_a_relative_playlist_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    m3u.write(Path("list.m3u8"), [entry(os.fsencode(tmp_path) + b"/a.mp3")])
    assert (tmp_path / "list.m3u8").read_bytes().endswith(b"\na.mp3\n")


def test_a_list_is_replaced_or_left(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    m3u.write(path, [entry(b"/m/a.mp3")])
    m3u.write(path, [])
    assert path.read_bytes() == b"#EXTM3U\n"
    with pytest.raises(FileNotFoundError):
        m3u.write(tmp_path / "missing" / "list.m3u8", [])
