"""The demo keeps to its own folder and asks sensible questions."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml
from beets.library import Item, Library

from beetsplug.resonance.config.options import split_query
from demo import run
from demo.home import MARK, DemoBeets, DemoError, LibraryTrack, claim_folder, configuration, fresh_beets
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def song(title: str, genre: str = "", artist: str = "x") -> LibraryTrack:
    return LibraryTrack(1, title, artist, genre)


def test_the_demo_marks_its_folder_and_knows_it_again(tmp_path: Path) -> None:
    work = claim_folder(tmp_path / "new" / "place")
    assert (work / MARK).exists()
    (work / "something").touch()
    assert claim_folder(work) == work


def test_the_demo_keeps_away_from_folders_of_others(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("Dear ...")
    with pytest.raises(DemoError, match="name a new folder"):
        claim_folder(tmp_path)
    with pytest.raises(DemoError, match="name a new folder"):
        claim_folder(tmp_path / "letters.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_each_tour_begins_with_an_empty_library(tmp_path: Path) -> None:
    (fresh_beets(tmp_path).home / "library.db").touch()
    assert [path.name for path in fresh_beets(tmp_path).home.iterdir()] == ["config.yaml"]


def test_the_configuration_leaves_the_users_files_alone(tmp_path: Path) -> None:
    home = tmp_path / 'a "quoted": #name'
    settings = yaml.safe_load(configuration(home))
    assert settings["plugins"] == ["resonance"]
    assert settings["library"] == str(home / "library.db")
    assert not settings["import"]["copy"]
    assert not settings["import"]["move"]
    assert not settings["import"]["write"]


def test_beet_is_shown_and_its_failure_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("ui: {color: no}\n")
    beets = DemoBeets(tmp_path)
    with pytest.raises(DemoError, match="`beet dance` failed"):
        beets.run("dance", "title:Two Words")
    shown = capfd.readouterr()
    assert "$ beet dance 'title:Two Words'" in shown.out
    assert "dance" in shown.err


def test_seeds_are_of_different_styles() -> None:
    tracks = [song(f"{genre}{n}", genre) for genre in "ABCDEFGH" for n in range(3)]
    assert [track.title for track in run.select_seeds(tracks)] == ["A0", "C0", "E0", "G0"]


@pytest.mark.parametrize(("count", "seeds"), [(0, 0), (1, 1), (3, 3), (50, 4)])
def test_a_library_without_genres_gives_seeds_too(count: int, seeds: int) -> None:
    assert len(run.select_seeds([song(str(n)) for n in range(count)])) == seeds


TITLES = (
    *(
        "Song",
        "Another Song",
        "Hello, Goodbye",
        "Trailing,",
        ":regular",
        "~same",
        "=same",
        "100 %",
        "-",
        "+",
        "",
        "a/b",
    ),
    *('a "quoted" word', "Don't", "both ' and \"", "back\\slash", "ends with \\", "year:1999", "^not", "Fuß", "*?[x]"),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(str(tmp_path_factory.mktemp("library") / "library.db"))
    for title in TITLES:
        for artist in ("one", "two"):
            made.add(Item(title=title, artist=artist))
    made.add(Item(title="alone", artist="one"))
    return made


def test_track_query_matches_that_track_alone(library: Library) -> None:
    queries = {}
    for item in library.items():
        track = LibraryTrack(item.id, item.title, item.artist, "")
        queries[item.id] = run.track_query(track, partial(run.matching_ids, library))
    assert {number: run.matching_ids(library, words) for number, words in queries.items()} == {
        number: [number] for number in queries
    }
    assert queries[library.items("alone")[0].id] == ["title:alone"]


def test_track_query_in_one_text_is_split_into_its_words(library: Library) -> None:
    for item in library.items():
        track = LibraryTrack(item.id, item.title, item.artist, "")
        words = run.track_query(track, partial(run.matching_ids, library))
        assert split_query(" ".join(run.quote_word(word) for word in words)) == words


@pytest.mark.parametrize("count", [2, 3, 15])
def test_next_commands_lead_from_one_track_to_another(count: int) -> None:
    *_, path = run.next_commands([[f"title:{number}"] for number in range(count)])
    assert path[1:4] == ["title:0", "--to", f'"title:{count - 1}"']


def test_the_first_line_needs_no_library_that_takes_seconds_to_load() -> None:
    code = "import sys, demo.run; print(*sorted({'av', 'beets', 'numpy', 'scipy', 'tqdm'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("name", ["", "cover.jpg"])
def test_a_folder_without_music_is_an_error_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "music").mkdir()
    if name:
        (tmp_path / "music" / name).touch()
    assert run.main(["--music", str(tmp_path / "music"), "--work", str(tmp_path / "work")]) == 1
    assert "There is no music in" in capsys.readouterr().err


def test_missing_music_is_an_error_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--music", str(tmp_path / "nowhere")])
    assert "there is no folder" in capsys.readouterr().err


def test_a_foreign_work_folder_ends_the_tour_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letters.txt").touch()
    assert run.main(["--work", str(tmp_path)]) == 1
    assert "was not made by the demo" in capsys.readouterr().err
