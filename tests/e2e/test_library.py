"""A library lives on: it is imported, retagged, moved, thinned out and imported again."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from mediafile import MediaFile

from tests.e2e.home import album, new_home, song

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home


def test_the_life_of_a_library(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    home.beet("import", str(album(tmp_path / "inbox", 3)))
    assert (len(home.tracks()), home.recordings()) == (3, 3)
    home.beet("modify", "-y", "-w", "title:song 1", "title=Another Name")
    assert list(home.music.rglob("*Another Name.mp3"))
    (home.path / "elsewhere").mkdir()
    home.beet("move", "-d", str(home.path / "elsewhere"), "title:song 0")
    assert list((home.path / "elsewhere").rglob("*Song 0.flac"))
    home.assert_known(3)
    home.beet("remove", "-f", "title:song 2")
    assert len(home.tracks()) == 2
    home.beet("import", str(tmp_path / "inbox"), "-s")
    before = home.titles().keys()
    home.beet("import", "-L")
    assert home.titles().keys() != before, "the rows were not made anew"
    home.assert_known(len(home.titles()))
    assert home.recordings() == 3, "the model ran again for music that was known"


def test_what_update_takes_up_stays_analysed(tmp_path: Path) -> None:
    """beets gives all tracks of an album one date when one of them is gone, and reads what others wrote."""
    home = new_home(tmp_path / "home")
    home.beet("import", str(album(tmp_path / "inbox", 4)))
    [gone] = home.music.rglob("*Song 3*")
    gone.unlink()
    home.beet("update")
    home.assert_known(3)
    assert home.beet("resonance", "analyze", "--pretend") == ["would analyse 0 tracks and forget 0"]
    for path in home.music.rglob("*.*"):
        file = MediaFile(path)
        file.comments = "tagged elsewhere"
        file.save()
    home.assert_known(3)
    assert home.beet("resonance", "analyze", "--pretend") == ["would analyse 0 tracks, recognise 3 and forget 0"]
    home.beet("update")
    assert home.beet("resonance", "analyze", "--pretend") == ["would analyse 0 tracks and forget 0"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        pytest.param("link", ["-s"]),
        pytest.param("in place", [], marks=pytest.mark.slow),
        pytest.param("move", [], marks=pytest.mark.slow),
        pytest.param("hardlink", [], marks=pytest.mark.slow),
    ],
)
def test_ways_to_import(tmp_path: Path, operation: str, arguments: list[str]) -> None:
    options = {"copy": False, "autotag": False, "quiet": True, "resume": False}
    home = new_home(
        tmp_path / "home", **{"import": {**options, **({operation: True} if operation != "in place" else {})}}
    )
    home.beet("import", *arguments, str(album(tmp_path / "inbox", 2)))
    assert home.recordings() == 2
    home.assert_known(2)


@pytest.mark.slow
def test_auto_no_imports_without_listening(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home", resonance={"auto": False, "threads": 1})
    inbox = album(tmp_path / "inbox", 2)
    home.beet("import", str(inbox))
    assert not home.sidecar.exists()
    said = home.fails("similar", "title:song 0")
    assert said.startswith("error: similar: none of 2 tracks is analysed yet; run `beet resonance analyze` (about ")
    [line] = home.beet("resonance", "analyze")
    assert line.startswith("2 tracks analysed in ")
    assert len(home.beet("similar", "title:song 0")) == 1


def test_missing_model_file_warns_and_searches_with_the_active_model(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    home.configure(directory=str(songs.music), resonance={"model": "models/mine.onnx"})
    assert home.fails("resonance", "analyze") == f"error: resonance: {no_model(home)}\n"


@pytest.mark.slow
def test_an_import_without_a_model(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home", resonance={"model": "models/mine.onnx"})
    status, _, err = home.run("import", str(album(tmp_path / "inbox", 2)))
    assert (status, err.count(no_model(home))) == (0, 1)
    assert len(home.titles()) == 2


def no_model(home: Home) -> str:
    path = home.path / "models" / "mine.onnx"
    return f"There is no model at {path}; give the path of a model file or of its directory"


def test_beside_other_plugins(tmp_path: Path) -> None:
    """convert, importadded, duplicates and smartplaylist do their work, and we see what they leave behind."""
    copying = tmp_path / "copy.py"
    copying.write_text(
        "import pathlib, shutil, sys\n"
        "shutil.copyfile(sys.argv[1], sys.argv[2])\n"
        "pathlib.Path(__file__).with_suffix('.done').open('a').write('x')\n"
    )
    home = new_home(
        tmp_path / "home",
        # importadded behind us changes the dates of items that we have linked already.
        plugins=["convert", "resonance", "importadded", "duplicates", "smartplaylist"],
        convert={
            "auto": True,
            "format": "mine",
            "formats": {"mine": {"command": f"{sys.executable} {copying} $source $dest", "extension": "flac"}},
            "never_convert_lossy_files": True,
        },
        importadded={"preserve_mtimes": True},
        smartplaylist={
            "playlist_dir": str(tmp_path),
            "playlists": [{"name": "zero.m3u", "query": "title:'song 0'"}],
        },
    )
    inbox = tmp_path / "inbox"
    song(inbox / "a.flac", "Song 0", 0)
    song(inbox / "b.mp3", "Song 1", 1)
    for path in inbox.iterdir():
        os.utime(path, (1e9, 1e9))
    home.beet("import", str(inbox))
    assert copying.with_suffix(".done").read_text() == "x", "the FLAC was not converted"
    assert 1e9 in {track.added for track in home.tracks().values()}
    home.beet("import", str(inbox), "-s")
    home.beet("splupdate")
    assert "Song 0" in (tmp_path / "zero.m3u").read_text()
    assert len(home.titles()) == 4
    home.beet("duplicates", "-k", "title", "--delete")
    assert home.recordings() == 2
    home.assert_known(len(home.titles()))


def test_without_the_plugin_beets_works_as_if_it_had_never_been_there(songs: Home, tmp_path: Path) -> None:
    clone = songs.clone(tmp_path / "clone")
    clone.configure(plugins=[], directory=str(songs.music))
    shutil.rmtree(clone.path / "resonance", ignore_errors=True)
    status, out, err = clone.run("ls", "title:song 3")
    assert (status, out, err) == (0, "Artist 1 - Album - Song 3\n", "")
