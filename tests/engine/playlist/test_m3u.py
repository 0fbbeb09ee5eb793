"""Playlist files lead to the files they name, whatever those are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import PlaylistError
from resonance_engine.playlist import m3u
from resonance_engine.playlist.m3u import M3uEntry

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & set(b"/\0\r\n") and name.strip(b"."))


def entry(path: bytes, seconds: float = 61.4, artist: str = "Can", title: str = "Vitamin C") -> M3uEntry:
    return M3uEntry(path, seconds, artist, title)


def targets(playlist: bytes, folder: bytes) -> list[bytes]:
    """The files that a player finds: lines that do not begin with #, from the playlist's folder."""
    lines = playlist.split(b"\n")
    return [os.path.normpath(os.path.join(folder, line)) for line in lines if line and line[:1] != b"#"]  # noqa: PTH118


def test_the_format() -> None:
    made = m3u.format_playlist([entry(b"/music/Can/c.mp3"), entry(b"/lists/a.mp3", 0.0, "", "A")], b"/lists")
    assert made == b"#EXTM3U\n#EXTINF:61,Can - Vitamin C\n../music/Can/c.mp3\n#EXTINF:-1,A\na.mp3\n"


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=4), st.lists(NAMES, max_size=2))
def test_every_name_leads_to_its_file_byte_for_byte(paths: list[list[bytes]], folder: list[bytes]) -> None:
    files = [b"/" + b"/".join(parts) for parts in paths]
    home = b"/" + b"/".join(folder)
    assert targets(m3u.format_playlist([entry(file) for file in files], home), home) == files


@pytest.mark.parametrize("name", [b"#1 hit.mp3", b"#EXTM3U", b"caf\xe9.mp3", "日本.mp3".encode()])
def test_odd_names(tmp_path: Path, name: bytes) -> None:
    file = os.fsencode(tmp_path) + b"/" + name
    assert m3u.write_playlist(tmp_path / "list.m3u8", [entry(file)]) == 1
    assert targets((tmp_path / "list.m3u8").read_bytes(), os.fsencode(tmp_path)) == [file]


@pytest.mark.parametrize("name", [b"two\nlines.mp3", b"two\rlines.mp3"])
def test_a_name_that_no_line_can_hold_is_left_out(tmp_path: Path, name: bytes) -> None:
    assert m3u.write_playlist(tmp_path / "list.m3u8", [entry(b"/m/" + name), entry(b"/m/good.mp3")]) == 1
    assert (tmp_path / "list.m3u8").read_bytes().count(b"#EXTINF") == 1


@pytest.mark.parametrize(
    "title", ["one\ntwo", "one\r\n#EXTINF:1,two", "one\u2028two", "\x1b[2Jone", "\u202eone", os.fsdecode(b"\xff")]
)
def test_a_title_stays_on_its_line_and_is_text(title: str) -> None:
    made = m3u.format_playlist([entry(b"/m/a.mp3", title=title)], b"/m")
    assert len(made.decode().splitlines()) == 3
    assert not set(made.decode()) & set("\x1b\u202e")


def test_a_linked_folder_is_left_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "disk" / "lists").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lists").symlink_to(tmp_path / "disk" / "lists")
    song = tmp_path / "home" / "song.mp3"
    song.write_bytes(b"music")
    m3u.write_playlist(tmp_path / "home" / "lists" / "list.m3u8", [entry(os.fsencode(song))])
    last = (tmp_path / "home" / "lists" / "list.m3u8").read_text().splitlines()[-1]
    assert (tmp_path / "home" / "lists" / last).read_bytes() == b"music"


def test_a_relative_playlist_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    m3u.write_playlist(Path("list.m3u8"), [entry(os.fsencode(tmp_path) + b"/a.mp3")])
    assert (tmp_path / "list.m3u8").read_bytes().endswith(b"\na.mp3\n")


def test_a_list_is_replaced_or_left(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    m3u.write_playlist(path, [entry(b"/m/a.mp3")])
    m3u.write_playlist(path, [])
    assert path.read_bytes() == b"#EXTM3U\n"
    with pytest.raises(FileNotFoundError):
        m3u.write_playlist(tmp_path / "missing" / "list.m3u8", [])


@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=4),
    st.lists(NAMES, max_size=2),
    st.booleans(),
    st.none() | st.just('{"version":1}'),
)
def test_what_was_written_is_read_back(
    paths: list[list[bytes]], folder: list[bytes], absolute: bool, recipe: str | None
) -> None:
    entries = [entry(b"/" + b"/".join(parts), seconds=float(len(parts))) for parts in paths]
    home = b"/" + b"/".join(folder)
    made = m3u.format_playlist(entries, home, recipe, absolute)
    assert m3u.parse_playlist(made, home) == m3u.M3uPlaylist(tuple(entries), recipe)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("name", [b"#1 hit.mp3", b"caf\xe9.mp3", b" ", b"100%25.mp3", b"http:", "日本.mp3".encode()])
def test_a_file_is_read_back_byte_for_byte(tmp_path: Path, name: bytes, absolute: bool) -> None:
    file = os.fsencode(tmp_path) + b"/music/" + name
    m3u.write_playlist(tmp_path / "list.m3u8", [entry(file)], '{"version":1}', absolute)
    assert (os.fsencode(tmp_path) in (tmp_path / "list.m3u8").read_bytes()) == absolute
    assert m3u.read_playlist(tmp_path / "list.m3u8") == m3u.M3uPlaylist((entry(file, 61.0),), '{"version":1}')


def test_a_recipe_has_a_line_of_its_own() -> None:
    made = m3u.format_playlist([entry(b"/m/#RESONANCE:x")], b"/m", "{}")
    assert made == b"#EXTM3U\n#RESONANCE:{}\n#EXTINF:61,Can - Vitamin C\n./#RESONANCE:x\n"
    for wrong in ("", "{\n}", "{}\n/m/a.mp3"):
        with pytest.raises(ValueError, match="one line"):
            m3u.format_playlist([], b"/m", wrong)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"#EXTINF:61,Can - Vitamin C\r\na.mp3\r\n", entry(b"/m/a.mp3", 61.0)),
        (b"\xef\xbb\xbf#EXTM3U\na.mp3", M3uEntry(b"/m/a.mp3", 0.0, "", "")),
        (b"#EXTINF:-1,A - B - C\n/a.mp3", M3uEntry(b"/a.mp3", 0.0, "", "A - B - C")),
        (b'#EXTINF:12.5 tvg-id="x",Title\n../a.mp3', M3uEntry(b"/a.mp3", 12.5, "", "Title")),
        (b"#EXTINF:9,caf\xe9\n#EXTVLCOPT:x\n\n  \na.mp3", M3uEntry(b"/m/a.mp3", 9.0, "", "caf\ufffd")),
        (b"#EXTINF:oops\na.mp3", M3uEntry(b"/m/a.mp3", 0.0, "", "")),
        (b"#EXTINF:5,gone\nhttp://radio/\na.mp3", M3uEntry(b"/m/a.mp3", 0.0, "", "")),
        (b"file:///m/caf%E9%20%23.mp3", M3uEntry(b"/m/caf\xe9 #.mp3", 0.0, "", "")),
        (b"FILE://localhost/m/a.mp3", M3uEntry(b"/m/a.mp3", 0.0, "", "")),
    ],
)
def test_playlists_of_other_programs(line: bytes, found: M3uEntry) -> None:
    assert m3u.parse_playlist(line, b"/m") == m3u.M3uPlaylist((found,))


@pytest.mark.parametrize("line", [b"", b"#EXTM3U", b"https://radio/stream", b"a\0b.mp3", b"file:///a%00b", b"mms://x"])
def test_what_is_no_file_is_passed_over(line: bytes) -> None:
    assert m3u.parse_playlist(line, b"/m") == m3u.M3uPlaylist(())


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"#EXTINF:", b"#RESONANCE:", b"file://", b"\n", b","])))
def test_any_content_is_read(parts: list[bytes]) -> None:
    for each in m3u.parse_playlist(b"".join(parts), b"/m").entries:
        assert each.path.startswith(b"/")
        assert each.seconds >= 0


def test_files_that_are_no_playlists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m3u, "LARGEST", 2**20)
    (tmp_path / "large.m3u").write_bytes(bytes(2**20 + 1))
    for path, said in (
        (tmp_path / "missing.m3u8", f"The playlist {tmp_path}/missing.m3u8 cannot be read: No such file or directory."),
        (tmp_path, f"The playlist {tmp_path} cannot be read: Is a directory."),
        (Path("a\0b"), "The playlist a\\x00b cannot be read: embedded null byte."),
        (tmp_path / "large.m3u", f"{tmp_path}/large.m3u is no playlist: it is larger than 1 MB."),
    ):
        with pytest.raises(PlaylistError) as error:
            m3u.read_playlist(path)
        assert str(error.value) == said


@pytest.mark.parametrize(
    "old",
    [
        None,
        b"",
        b"#EXTM3U\n#EXTINF:1,x\na.mp3\n",
        b"\xef\xbb\xbf#EXTM3U\r\na.mp3\r\n",
        b"a.mp3",
        b"#RESONANCE:{}\nhttp://radio\n# note\n",
    ],
)
def test_append_entries_keeps_the_old_content(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "list.m3u8"
    if old is not None:
        path.write_bytes(old)
    known = b"a.mp3" in (old or b"")
    entries = [
        M3uEntry(os.fsencode(tmp_path / name), 1.0, "Can", "Title") for name in ("a.mp3", "b.mp3", "b.mp3", "c\n")
    ]
    assert m3u.append_entries(path, entries) == 2 - known
    content = path.read_bytes()
    assert content.startswith(old or b"#EXTM3U\n")
    assert content.count(b"#EXTM3U") <= 1 + (old is None)
    names = [os.path.basename(entry.path) for entry in m3u.read_playlist(path).entries]  # noqa: PTH119 - bytes
    assert names == [b"a.mp3", b"b.mp3"]
    assert m3u.append_entries(path, entries) == 0
    assert path.read_bytes() == content
