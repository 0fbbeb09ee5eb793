"""Songs from a folder, from a library and from a file of pairs, and what of them belongs together."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import CatalogError, ConfigError
from resonance_engine.training.config.settings import DataSettings
from resonance_engine.training.data import songs as song_module
from resonance_engine.training.data.songs import Song, connected_components, label_songs, list_songs, open_library
from tests.audio_files import tune, write_audio

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two tagged songs, one without tags, one file that is no audio, one that nobody would take for any."""
    folder = tmp_path / "music"
    (folder / "live").mkdir(parents=True)
    tags = {"artist": "Ann", "album": "One", "title": "Go", "album_artist": "Ann & Bo", "genre": "Jazz"}
    write_audio(folder / "a.flac", tune(0.2, 8000, channels=1), 8000, metadata=tags)
    write_audio(folder / "live" / "a.mp3", tune(0.2, 8000, channels=1), 8000, metadata=tags | {"album": "Live"})
    write_audio(folder / "b.wav", tune(0.2, 8000, channels=1), 8000)
    (folder / "c.mp3").write_bytes(b"no music")
    (folder / "cover.jpg").write_bytes(b"no music")
    return folder


def names(songs: list[Song]) -> list[str]:
    return [song.path.name for song in songs]


def pairs_file(folder: Path, content: object) -> str:
    path = folder / "pairs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return str(path)


def test_a_folder_is_scanned_with_its_tags(music: Path) -> None:
    songs = list_songs(DataSettings(root=str(music)))
    assert names(songs) == ["a.flac", "b.wav", "c.mp3", "a.mp3"]
    assert songs[0] == Song(music / "a.flac", "Go", "Ann", "One", "Ann & Bo", "Jazz")
    assert songs[1] == Song(music / "b.wav", "", "", "")
    assert songs[2] == Song(music / "c.mp3", "", "", "")


def test_the_folder_of_all_is_no_album_however_it_is_written(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(music.parent)
    songs = list_songs(DataSettings(root="music"))
    assert songs == list_songs(DataSettings(root=str(music)))
    assert songs[1] == Song(music / "b.wav", "", "", "")


def test_the_home_of_nobody_is_a_folder_of_that_name(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(music.parent)
    with pytest.raises(CatalogError, match="~nosuchuser/music is not a folder"):
        list_songs(DataSettings(root="~nosuchuser/music"))
    with pytest.raises(ConfigError, match=r"~nosuchuser/p\.json is not there"):
        list_songs(DataSettings(pairs_json="~nosuchuser/p.json"))
    for name in ("~nosuchuser/a.mp3", "a" * 300):
        with pytest.raises(ConfigError, match=f"list 1: .*{name} is not there"):
            list_songs(DataSettings(pairs_json=pairs_file(music, [["a.flac", name]])))


def test_a_folder_is_an_album_where_the_tags_name_none(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1.wav", "2.wav"):
        write_audio(music / "live" / name, tune(0.2, 8000, channels=1), 8000)
    assert {song.path.name: song.album for song in list_songs(DataSettings(root=str(music)))} == {
        "a.flac": "One",
        "b.wav": "",
        "c.mp3": "",
        "1.wav": "live",
        "2.wav": "live",
        "a.mp3": "Live",
    }
    monkeypatch.setattr(song_module, "LARGEST_ALBUM", 1)
    assert not any(song.album == "live" for song in list_songs(DataSettings(root=str(music))))


def test_pairs_give_identities_and_songs_that_lie_elsewhere(music: Path, tmp_path: Path) -> None:
    elsewhere = write_audio(tmp_path / "elsewhere.flac", tune(0.2, 8000, channels=1), 8000)
    file = pairs_file(music, [["a.flac", "live/a.mp3"], ["live/../a.flac", str(elsewhere)]])
    songs = list_songs(DataSettings(root=str(music), pairs_json=file))
    identities = {song.path.name: song.identity for song in songs}
    assert identities["a.flac"] == identities["a.mp3"] == identities["elsewhere.flac"] != ""
    assert identities["b.wav"] == identities["c.mp3"] == ""
    assert songs == sorted(songs, key=lambda song: song.path)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, ["a.flac", "b.wav", "c.mp3", "a.mp3"]),
        ({"use_unlabeled": False}, ["a.flac", "a.mp3"]),
        ({"scan_root": False}, ["a.flac", "a.mp3"]),
        ({"root": ""}, ["a.flac", "a.mp3"]),
    ],
)
def test_which_songs_the_switches_take(music: Path, settings: dict[str, object], found: list[str]) -> None:
    file = pairs_file(music, [["a.flac", "live/a.mp3"]])
    options = {"root": str(music), "pairs_json": file, **settings}
    assert names(list_songs(DataSettings(**options))) == found  # type: ignore[arg-type]  # as a file would give them


def test_relative_paths_of_pairs_start_at_root(music: Path, tmp_path: Path) -> None:
    file = pairs_file(tmp_path, [["a.flac", "b.wav"]])
    assert names(list_songs(DataSettings(root=str(music), scan_root=False, pairs_json=file))) == ["a.flac", "b.wav"]


def test_a_library_takes_the_place_of_the_folder(music: Path) -> None:
    songs = [Song(music / name, name, "", "", identity=identity) for name, identity in zip("abcd", "xyxz", strict=True)]
    made = list_songs(DataSettings(root="/nowhere"), lambda: songs)
    assert [song.title for song in made] == ["a", "b", "c", "d"]
    assert made[0].identity == made[2].identity
    assert len({song.identity for song in made}) == 3
    assert [song.title for song in list_songs(DataSettings(use_unlabeled=False), lambda: songs)] == ["a", "c"]


def test_a_file_that_is_reached_by_a_link_is_one_song(music: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(music)
    file = pairs_file(tmp_path, [["link/a.flac", "link/b.wav"]])
    songs = list_songs(DataSettings(pairs_json=file, root=""), lambda: [Song(music / "a.flac", "Go", "", "")])
    assert [song.title for song in songs] == ["", "Go"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "There is nothing to learn from: no music is named; set data.root to a folder of music"),
        ({"root": "x", "scan_root": False}, "data.scan_root is false and data.pairs_json names no file; set data.root"),
        ({"root": "."}, "There is no music in .; set data.root to the folder that holds yours."),
    ],
)
def test_nothing_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        list_songs(DataSettings(**settings))  # type: ignore[arg-type]  # as a file would give them
    assert sentence in str(caught.value)


def test_no_pairs_and_no_folder(music: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.use_unlabeled is false, and no songs are said to belong together"):
        list_songs(DataSettings(root=str(music), use_unlabeled=False))
    with pytest.raises(CatalogError, match="is not a folder"):
        list_songs(DataSettings(root=str(music / "a.flac")))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[[", "is not valid JSON: Expecting value"),
        ("\ud800", "is not valid JSON: "),
        ("[" * 100_000, "is not valid JSON: "),
        ({"pairs": []}, 'must be a list of lists of paths, such as [["a.mp3", "live/a.mp3"], ["b.mp3", "c.mp3"]].'),
        ([], "must be a list of lists of paths"),
        ([["a.flac", "b.wav"], {"anchor": "a.flac"}], ', list 2 must be a list of paths, not {"anchor": "a.flac"};'),
        ([["a.flac", "b.wav"], ["a.flac"]], ", list 2 must have at least two different files, not 1; the form is"),
        ([["a.flac", "./a.flac"]], ", list 1 must have at least two different files, not 1;"),
        ([["a.flac", 7]], ", list 1: its path 2 must be a path, not 7."),
        ([["a.flac", ""]], ', list 1: its path 2 must be a path, not "".'),
        ([["a.flac", "b\0"]], ", list 1: its path 2 must be a path, not "),
        ([["a.flac", "b.wav"], ["a.flac", "d.mp3"]], "/music/d.mp3 is not there; correct the path, or set data.root"),
        ([["a.flac", "d.mp3", "e.mp3", "live"]], "/music/d.mp3 is not there, and 2 more are missing; correct"),
    ],
)
def test_pairs_that_cannot_be(music: Path, content: object, sentence: str) -> None:
    path = music / "pairs.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError) as caught:
        list_songs(DataSettings(root=str(music), pairs_json=str(path)))
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pairs_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json is not there; set data\.pairs_json to a file like \[\["):
        list_songs(DataSettings(pairs_json=str(tmp_path / "none.json")))
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory\."):
        list_songs(DataSettings(pairs_json=str(tmp_path)))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (("One", "Ann", ""), ("one ", "ANN", ""), True),
        (("One", "Ann", "Bo"), ("One", "Cy", "Bo"), True),
        (("One", "Ann", ""), ("One", "Cy", ""), False),
        (("One", "Ann", "Various Artists"), ("One", "Cy", "Various Artists"), False),
        (("One", "Ann", "Various Artists"), ("One", "Ann", "VA"), True),
        (("", "Ann", ""), ("", "Ann", ""), False),
        (("Unknown Album", "Ann", ""), ("Unknown Album", "Ann", ""), False),
        (("One", "", ""), ("One", "", ""), True),
        (("One", "", "Various Artists"), ("One", "", ""), True),
        (("One", "Ann", ""), ("One", "", ""), False),
    ],
)
def test_weak_groups_are_one_album_by_one_artist(
    tmp_path: Path, one: tuple[str, str, str], other: tuple[str, str, str], together: bool
) -> None:
    pair = [Song(tmp_path / name, "", artist, album, by) for name, (album, artist, by) in (("1", one), ("2", other))]
    identities, groups = label_songs(pair)
    assert (groups[0] == groups[1]) == together
    assert identities[0] != identities[1]


def test_nobody_s_albums_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    pair = [Song(tmp_path / folder / "song", "", "", "One") for folder in ("here", "there")]
    assert len(set(label_songs(pair)[1])) == 2


def test_paired_songs_share_a_label(tmp_path: Path) -> None:
    songs = [Song(tmp_path / str(number), "", "", "", identity="x" if number < 2 else "") for number in range(4)]
    identities, _ = label_songs(songs)
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3


def test_a_kind_of_library_that_nothing_reads(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Songs of a rhythmbox library need a package that reads it"):
        open_library("rhythmbox", tmp_path / "library.xml", [])


def test_beets_that_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name = "beets"

        def load(self) -> None:
            raise ModuleNotFoundError("No module named 'beets'")

    monkeypatch.setattr("resonance_engine.training.data.songs.entry_points", lambda **_: [Broken()])
    with pytest.raises(ConfigError, match=r"for beets is not installed \(No module named 'beets'\)\."):
        open_library("beets", tmp_path / "library.db", [])


def joined(keys: list[set[int]]) -> set[frozenset[int]]:
    """Brute force: merge any two groups that share a key until none do."""
    groups = [({place}, set(its)) for place, its in enumerate(keys)]
    merged = True
    while merged:
        merged = False
        for one in range(len(groups)):
            for other in range(one + 1, len(groups)):
                if groups[one][1] & groups[other][1]:
                    places, its = groups.pop(other)
                    groups[one] = (groups[one][0] | places, groups[one][1] | its)
                    merged = True
                    break
            if merged:
                break
    return {frozenset(places) for places, _ in groups}


@given(st.lists(st.sets(st.integers(0, 8), max_size=3), max_size=12))
def test_connected_finds_what_merging_by_hand_finds(keys: list[set[int]]) -> None:
    found = connected_components(keys)
    assert {frozenset(group) for group in found} == joined(keys)
    assert [group[0] for group in found] == sorted(group[0] for group in found)


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/m\xfcsik")
    os.mkdir(path)  # noqa: PTH102 - a name that is not text
    write_audio(tmp_path / "a.wav", tune(0.2, 8000, channels=1), 8000).rename(f"{path}/a.wav")
    (song,) = list_songs(DataSettings(root=path))
    assert song.path.is_file()
