"""A second model: it listens to the library while the first one serves, and takes its place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.store import Store
from tests.audio_files import tune, write_audio
from tests.e2e.home import Home, new_home, song
from tests.tiny_models import onnx_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.torch

ALBUMS, SONGS = 20, 6


def with_own(home: Home) -> Home:
    """A beets with a trained model beside its library."""
    folder = home.path / "resonance-models" / "own"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx_model())
    return home


def in_style(album: int, number: int) -> NDArray[np.float32]:
    """A song of its own with the noise and the dullness of its album, shape (1, samples)."""
    style, own = np.random.default_rng(album), np.random.default_rng((album, number))
    window = np.hanning(style.integers(2, 20) + 2)
    samples = np.convolve(tune(24, 8000, channels=1, seed=number)[0], window / window.sum(), "same")
    noise = own.normal(0, 10 ** style.uniform(-3, -1), samples.shape)
    return (samples + noise).astype(np.float32)[None, :]


def embedded(home: Home) -> dict[str, int]:
    """How many recordings each model has heard, by the model's name."""
    with Store(home.sidecar) as store:
        return {model.name: store.vectors.count(model.id) for model in store.models.all()}


def test_a_second_model_takes_the_first_one_s_place(songs: Home, tmp_path: Path) -> None:
    home = with_own(songs.clone(tmp_path / "home"))
    before = home.library.read_bytes()
    listed = [line.split() for line in home.beet("resonance", "model", "list")]
    assert [line[:2] for line in listed] == [
        ["name", "model"],
        ["default", "resonance"],
        ["default-int8", "resonance"],
        ["own", "tiny"],
    ]
    shipped = home.beet("similar", "title:song 3")
    lines = home.beet("resonance", "model", "use", "own")
    assert (lines[0].startswith("6 tracks analysed in "), lines[1:-1]) == (True, ["tiny 1 (own) is in use now"])
    assert embedded(home) == {"resonance": 6, "tiny": 6}
    assert home.beet("similar", "title:song 3") != shipped
    assert home.beet("resonance", "model", "use", "default")[-2] == f"resonance {listed[1][2]} is in use now"
    assert home.beet("similar", "title:song 3") == shipped
    assert home.beet("resonance", "model", "remove", "own", "--yes") == ["own was removed"]
    assert embedded(home) == {"resonance": 6}
    assert not (home.path / "resonance-models").exists()
    assert home.library.read_bytes() == before


@pytest.mark.slow
def test_a_file_that_is_no_model_is_not_used(songs: Home, tmp_path: Path) -> None:
    home = with_own(songs.clone(tmp_path / "home"))
    (home.path / "resonance-models" / "own" / "model.onnx").write_text("no model")
    assert "is not a model that onnxruntime can run" in home.fails("resonance", "model", "use", "own")
    listed = [line.split() for line in home.beet("resonance", "model", "list")]
    assert ["own", "-", "-", "-", "cannot", "be", "used"] in listed
    assert home.beet("resonance", "analyze") == ["nothing to do: all 6 tracks are analysed"]


@pytest.mark.slow
def test_a_killed_change_of_models_goes_on_where_it_was(tmp_path: Path) -> None:
    """Imports in between are heard by both models."""
    home = with_own(new_home(tmp_path / "home"))
    total, random = 8, np.random.default_rng(0)
    for number in range(total):
        (tmp_path / "inbox").mkdir(exist_ok=True)
        noise = random.uniform(-0.3, 0.3, 30 * 8000).astype(np.float32)
        write_audio(tmp_path / "inbox" / f"{number}.flac", noise, 8000, metadata={"title": f"noise {number}"})
    home.beet("import", "-s", str(tmp_path / "inbox"))
    with home.process("resonance", "model", "use", "own") as process:
        while process.poll() is None and not embedded(home).get("tiny"):
            time.sleep(0.02)
        process.kill()
    assert embedded(home)["resonance"] == total
    kept = embedded(home)["tiny"]
    assert 0 < kept <= total
    home.beet("import", "-s", str(song(tmp_path / "new.flac", "Newcomer", 40)))
    assert len(home.beet("similar", "--versions", "title:newcomer")) == total
    if kept < total:
        assert embedded(home) == {"resonance": total + 1, "tiny": kept + 1}
        assert home.beet("resonance", "analyze")[-2] == "tiny 1 (own) is in use now"
    assert embedded(home)["tiny"] == total + 1
    home.assert_known(total + 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_on_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the verdict: it is said, what follows from it is done, and the library is left alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = new_home(tmp_path / "home", resonance={"auto": "no", "threads": 2})
    for number in range(ALBUMS * SONGS):
        folder = tmp_path / "inbox" / f"Album {number // SONGS}"
        folder.mkdir(parents=True, exist_ok=True)
        tags = {"title": f"Song {number}", "artist": f"Artist {number}", "album": folder.name}
        write_audio(folder / f"{number}.flac", in_style(number // SONGS, number), 8000, metadata=tags)
    home.beet("import", str(tmp_path / "inbox"))
    before = home.library.read_bytes()
    lines = home.beet("resonance", "train", "--minutes", "1", "--yes", "--name", "evenings")
    assert lines[0].startswith("learned from ")
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        "held out",
        "same album, by other artists (mAP)",
        "same artist, on other albums (mAP)",
        "windows of the same track (recall@1)",
    ]
    assert all(float(value) <= 1 for value in lines[2].split()[-2:]), "compilations give queries for albums"
    kept = (home.path / "resonance-models" / "evenings" / "model.onnx").is_file()
    assert kept == lines[5].startswith("It is better"), lines
    # No other model was in use before: nothing had been analysed.
    assert lines[-1] == ("evenings 1 is in use" if kept else "nothing was changed; the new model is not kept")
    assert home.library.read_bytes() == before
