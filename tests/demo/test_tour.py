"""The whole tour with the real `beet`, and work shared between two processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from demo import library, run
from demo.baselines import mfcc_statistics
from demo.evaluate import described
from resonance_engine.features.spec import Decoding, FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("music")
    library.make_library(root, 5, 2, 8.0, processes=1)
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
    for way in ("Resonance", "MFCC statistics", "Random vectors", "By lot, on average"):
        assert f"\n  {way}" in shown
    assert "(16 tracks, 8 styles" in shown


def test_two_processes_make_the_same_library_as_one(music: Path, tmp_path: Path) -> None:
    paths = library.make_library(tmp_path, 5, 2, 8.0, processes=2)
    assert {path.relative_to(tmp_path): path.read_bytes() for path in paths} == {
        path.relative_to(music): content for path, (content, _) in contents(music).items()
    }


def test_two_processes_describe_tracks_as_one_does(music: Path) -> None:
    paths = sorted(path for path in music.rglob("*") if path.is_file())
    spec = FeatureSpec(decoding=Decoding(seconds=4.0, windows=1), hpss=False, harmony=None, rhythm=None)
    (one, alone), (two, shared) = (described(paths, {"mfcc": mfcc_statistics}, spec, n) for n in (1, 2))
    assert one == two == list(range(16))
    np.testing.assert_allclose(alone["mfcc"], shared["mfcc"], rtol=1e-5, atol=1e-5)
