"""The whole tour with the real `beet`."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from mediafile import MediaFile

from demo import library, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

ODD_TITLES = ("", "Don't", 'a "quoted" word', "back\\slash", ":regular", "~same", "Trailing,", "100 %")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("music")
    library.make_library(root, 5, 2, 8.0)
    return root


def contents(root: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def test_the_tour_shows_what_resonance_does_and_leaves_the_music_alone(
    music: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = contents(music)
    assert run.main(["--music", str(music), "--work", str(tmp_path / "work")]) == 0
    assert contents(music) == before
    shown = capfd.readouterr().out
    commands = [line.split()[2] for line in shown.splitlines() if line.startswith("$ beet")]
    assert commands == ["import", "resonance", *["similar"] * 4, "playlist"]
    assert "\n8 tracks analysed" in shown
    run_suggestions(shown)


def run_suggestions(shown: str) -> None:
    """Run the commands that the tour ends with, as they are typed; each prints more than a line."""
    _, _, following = shown.partition("To go on in this library, type:\n")
    suggestions = following.split("\n\n")[-1].strip().splitlines()
    assert len(suggestions) == 3
    for suggestion in suggestions:
        done = subprocess.run(shlex.split(suggestion), capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stdout.splitlines()) > 1) == (0, True), done.stderr


def test_a_small_folder_with_a_broken_file_and_odd_titles_gets_a_list_and_no_verdict(
    music: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "music"
    shutil.copytree(music, folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for number, path in enumerate(paths):
        tags = MediaFile(path)
        tags.update({"title": ODD_TITLES[number % len(ODD_TITLES)], "genres": [], "artist": "", "albumartist": ""})
        tags.save()
    (paths[0].parent / "00 broken.mp3").write_bytes(b"no music")
    assert run.main(["--music", str(folder), "--work", str(tmp_path / "work")]) == 0
    shown = capfd.readouterr().out
    assert "\n8 tracks analysed" in shown
    assert "random" not in shown
    assert " -  - " not in shown, "files without titles are shown by their paths"
    run_suggestions(shown)


def test_one_track_is_too_little(music: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "music").mkdir()
    shutil.copy(next(music.rglob("*.flac")), tmp_path / "music")
    assert run.main(["--music", str(tmp_path / "music"), "--work", str(tmp_path / "work")]) == 1
    assert "Similar tracks take two, and 1 of this folder could be analysed" in capfd.readouterr().err


def test_one_process_makes_the_same_library_as_two(music: Path, tmp_path: Path) -> None:
    paths = library.make_library(tmp_path, 5, 2, 8.0, processes=1)
    assert {path.relative_to(tmp_path): path.read_bytes() for path in paths} == {
        path.relative_to(music): content for path, (content, _) in contents(music).items()
    }
