"""The whole tour with the real `beet`."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from demo import library, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


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
    _, _, following = shown.partition("To go on in this library, type:\n")
    suggestions = following.split("\n\n")[-1].strip().splitlines()
    assert len(suggestions) == 3
    for suggestion in suggestions:
        done = subprocess.run(shlex.split(suggestion), capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stdout.splitlines()) > 1) == (0, True), done.stderr


def test_one_process_makes_the_same_library_as_two(music: Path, tmp_path: Path) -> None:
    paths = library.make_library(tmp_path, 5, 2, 8.0, processes=1)
    assert {path.relative_to(tmp_path): path.read_bytes() for path in paths} == {
        path.relative_to(music): content for path, (content, _) in contents(music).items()
    }
