"""A beets library as training reads it: every name, and not one byte written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from beets import config, context
from beets.library import Item, Library

from beetsplug.resonance.library.training_source import songs
from resonance_engine.errors import ConfigError
from resonance_engine.training.config.settings import DataSettings
from resonance_engine.training.data.songs import Song, list_songs, open_library

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDING = "5b11f4ce-a62d-471e-81fc-a69a8278c7da"
ALBUM = {"album": "One", "albumartist": "Ann", "genres": ["Jazz", "Soul"], "year": 1999}
TRACKS = [
    {"title": "Go", "artist": "Ann", "mb_trackid": RECORDING, **ALBUM},
    {"title": "Stay", "artist": "Bo & Cy", **ALBUM},
    {"title": "Go again", "artist": "Ann", "album": "Hits", "comp": True, "mb_trackid": RECORDING},
]


@pytest.fixture(autouse=True)
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The music directory of the user's configuration, with files that nobody listens to."""
    monkeypatch.setenv("BEETSDIR", str(tmp_path))
    folder = tmp_path / "Music"
    folder.mkdir()
    for track in TRACKS:
        (folder / f"{track['title']}.flac").touch()
    config.clear()
    config.read(user=False)
    config["directory"].set(str(folder))
    config["create_backup_before_migrations"].set(False)
    yield folder
    config.clear()


@pytest.fixture
def file(tmp_path: Path, music: Path) -> Path:
    """A library of three tracks."""
    (tmp_path / "data").mkdir()
    library = Library(tmp_path / "data" / "library.db", str(music), set_music_dir=False)
    with library.music_dir_context():
        for track in TRACKS:
            library.add(Item(path=str(music / f"{track['title']}.flac"), **track))
    library._close()
    return Path(library.path)


def said(file: Path, query: list[str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        songs(file, query or [])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_paths_and_recordings(file: Path, music: Path) -> None:
    assert songs(file, []) == [
        Song(music / "Go.flac", "Go", "Ann", "One", "Ann", "Jazz, Soul", RECORDING),
        Song(music / "Stay.flac", "Stay", "Bo & Cy", "One", "Ann", "Jazz, Soul"),
        Song(music / "Go again.flac", "Go again", "Ann", "Hits", "Various Artists", "", RECORDING),
    ]


def test_a_query_chooses(file: Path) -> None:
    titles = [[song.title for song in songs(file, query)] for query in (["album:One", "artist:bo"], ["year-"])]
    assert titles == [["Stay"], ["Go", "Stay", "Go again"]]


def test_it_is_found_by_name_and_its_recordings_are_pairs(file: Path) -> None:
    library = open_library("beets", file, ["Go"])
    found = list_songs(DataSettings(use_unlabeled=False), library)
    assert [song.title for song in found] == ["Go again", "Go"]
    assert found[0].identity == found[1].identity


def test_nothing_is_written_to_an_older_library_either(
    file: Path, music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM migrations")
        connection.execute("ALTER TABLE items DROP COLUMN comp")
        connection.execute("ALTER TABLE items ADD COLUMN genre TEXT DEFAULT ''")
        stored = str(music / "Stay.flac").encode()
        connection.execute("UPDATE items SET path = ? WHERE title = 'Stay'", [stored])
    state, neighbours = (file.read_bytes(), file.stat().st_mtime_ns), sorted(file.parent.iterdir())
    file.chmod(0o400)
    config["create_backup_before_migrations"].set(True)
    assert [song.path for song in songs(file, [])] == [music / f"{title}.flac" for title in ("Go", "Stay", "Go again")]
    assert (file.read_bytes(), file.stat().st_mtime_ns) == state
    assert sorted(file.parent.iterdir()) == neighbours
    assert capsys.readouterr().out == ""


def test_the_configuration_beside_a_library_tells_where_its_music_is(file: Path, music: Path, tmp_path: Path) -> None:
    (tmp_path / "library.db").write_bytes(file.read_bytes())
    (tmp_path / "config.yaml").write_text("directory: music\n", "utf-8")
    (tmp_path / "music").symlink_to(music)
    before = context.get_music_dir()
    assert songs(tmp_path / "library.db", ["Stay"])[0].path == tmp_path / "music" / "Stay.flac"
    assert context.get_music_dir() == before
    (tmp_path / "config.yaml").write_text("plugins: []\n", "utf-8")
    assert songs(tmp_path / "library.db", ["Stay"])[0].path == music / "Stay.flac"


def test_a_library_whose_music_is_elsewhere(file: Path, tmp_path: Path) -> None:
    (tmp_path / "library.db").write_bytes(file.read_bytes())
    (tmp_path / "config.yaml").write_text("directory: gone\n", "utf-8")
    sentence = said(tmp_path / "library.db")
    assert f"None of the 3 files that {tmp_path}/library.db names is there (such as" in sentence
    assert sentence.endswith(f"beets' configuration says that the music is in {tmp_path}/gone.")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (["year:abc"], "The beets query is not understood: 'year:abc': "),
        (["title::["], "The beets query is not understood: 'title::[': "),
        (["title:nothing"], "library.db has no track that matches title:nothing."),
    ],
)
def test_queries_that_find_nothing(file: Path, query: list[str], sentence: str) -> None:
    assert sentence in said(file, query)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no beets library at "),
        (b"", "is no beets library, for it has no table of items."),
        (b"not a database, but longer than its header" * 10, "cannot be read as a beets library: file is not a"),
    ],
)
def test_files_that_are_no_library(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "other.db"
    if content is not None:
        path.write_bytes(content)
    assert sentence in said(path)


def test_a_library_that_something_else_keeps_to_itself(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beetsplug.resonance.library.training_source.PATIENCE", 0.1)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert "library.db cannot be read as a beets library: database is locked." in said(file)
    assert len(songs(file, [])) == 3


def test_a_configuration_that_beets_cannot_read(file: Path, tmp_path: Path) -> None:
    (tmp_path / "library.db").write_bytes(file.read_bytes())
    (tmp_path / "config.yaml").write_text("directory: [\n", "utf-8")
    assert "The configuration of beets cannot be read: " in said(tmp_path / "library.db")
