"""The demo keeps to its own folder and asks sensible questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from demo import run
from demo.run import (
    MARK,
    DemoBeets,
    DemoError,
    LibraryTrack,
    claim_folder,
    configuration,
    fresh_beets,
)

if TYPE_CHECKING:
    from pathlib import Path


def song(title: str, genre: str = "", artist: str = "x") -> LibraryTrack:
    return LibraryTrack(title, artist, genre)


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


def test_a_query_names_the_artist_where_the_title_is_not_enough() -> None:
    tracks = [song("Song", artist="one"), song("Another Song", artist="two")]
    assert run.title_query(tracks[0], tracks) == ["title:Song", "artist:one"]
    assert run.title_query(tracks[1], tracks) == ["title:Another Song"]


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
