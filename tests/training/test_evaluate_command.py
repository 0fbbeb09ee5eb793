"""`evaluate`, `export` and `onnx-eval` one after another, on synthetic songs and a network with random weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

import torch
from torch import nn

from resonance_engine.cli import main
from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.model_files import CHECKPOINT
from resonance_engine.network import export, files
from resonance_engine.network.export import Parity
from resonance_engine.network.files import load_network, save_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.commands import models
from resonance_engine.training.config.config_file import read_config
from resonance_engine.training.data.cache import RamCache, SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.songs import Song, label_songs
from resonance_engine.training.tuning.proxy import manifest_of, network_of
from tests.training.synthetic_albums import SETTINGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.training.config.settings import Config

LOG = "epoch,loss,lr,gate_entropy,gate_timbre,gate_harmony,gate_rhythm,seconds,recall@1\n" + "".join(
    f"{epoch},{3 / epoch},0.001,0.9,0.5,0.3,0.2,1.0,{epoch / 10}\n" for epoch in range(1, 6)
)
OPTIONS = [each for setting in SETTINGS for each in ("--set", setting)]


def sounds(config: Config, song: int, windows: int = 3) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(song)
    made = {}
    for name, each in config.spec.modalities.items():
        values = random.random((windows, *each.shape(config.spec.decoding)), np.float32)
        made[name] = 80 * values - 90 if name == "timbre" else values
    return made


@dataclass
class Prepared:
    """Stands for `TrainingData`, with features that were not computed from audio."""

    config: Config
    songs: list[Song]
    held_out: list[int]

    def windows(self, songs: list[int]) -> WindowSet:
        cache = RamCache(self.config.spec)
        keys = [bytes([song]) * 16 for song in songs]
        for song, key in zip(songs, keys, strict=True):
            cache.put(key, sounds(self.config, song))
        return WindowSet(cache, keys, *label_songs([self.songs[song] for song in songs]))

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Odd(nn.Module):
    """Takes what the others take, and does what ONNX has no operator for."""

    def forward(self, *features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        vector = torch.special.bessel_j0(features[2][:, :4])
        return vector, torch.stack([vector] * 3, dim=1), vector[:, :3]


@pytest.fixture(scope="module")
def config() -> Config:
    return read_config(None, SETTINGS)


@pytest.fixture
def material(config: Config, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    songs = [Song(Path(f"/m/{i}.flac"), f"Song {i}", f"Artist {i % 4}", f"Album {i // 4}", "Band") for i in range(16)]
    made = Prepared(config, songs, list(range(4, 16)))
    monkeypatch.setattr(models, "load_music", lambda *_: made)
    return made


@pytest.fixture(scope="module")
def best(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: weights under the old name, the state of the run and its log."""
    folder = tmp_path_factory.mktemp("runs") / "best"
    folder.mkdir()
    save_network(network_of(config), manifest_of(config), folder / CHECKPOINT)
    (folder / "state.safetensors").write_bytes(b"no model")
    (folder / "log.csv").write_text(LOG)
    return folder


@pytest.fixture(scope="module")
def exported(best: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    assert main(["export", "--load", str(best), "--outdir", str(folder / "deep" / "er"), "--formats", "onnx"]) == 0
    return folder / "deep" / "er"


@pytest.mark.usefixtures("material")
def test_evaluate_writes_numbers_a_table_and_pictures(
    best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--load", str(best), "--out", str(tmp_path / "o"), *OPTIONS]) == 0
    out = capsys.readouterr().out
    numbers = json.loads((tmp_path / "o" / "evaluation.json").read_bytes())
    assert (numbers["songs"], numbers["albums"], numbers["windows"]) == (12, 3, 36)
    assert {task["name"]: task["queries"] for task in numbers["tasks"]}["album"] == 12
    assert numbers["model_id"] == load_network(best / CHECKPOINT)[1].id
    text = (tmp_path / "o" / "evaluation.txt").read_text()
    assert text in out
    assert "12 held-out songs of 3 albums" in text
    pictures = sorted(path.name for path in (tmp_path / "o").glob("*.png"))
    assert pictures == ["gates.png", "projection.png", "training.png"]


@pytest.mark.usefixtures("material")
def test_weights_and_export_are_judged_alike(best: Path, exported: Path, tmp_path: Path) -> None:
    documents = []
    for model, folder in ((best, tmp_path / "a"), (exported / "model.onnx", tmp_path / "b")):
        assert main(["evaluate", "--load", str(model), "--out", str(folder), *OPTIONS]) == 0
        documents.append(json.loads((folder / "evaluation.json").read_bytes()))
    assert documents[0]["tasks"] == documents[1]["tasks"]
    assert not (tmp_path / "b" / "training.png").exists()


@pytest.mark.usefixtures("material")
def test_a_model_is_asked_only_about_features_that_it_knows(best: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--load", str(best), *OPTIONS, "--set", "data.segment.hpss=false"]) == 1
    assert "takes other features than the settings describe; give --config" in capsys.readouterr().err


class TestExport:
    def test_it_is_a_model_folder_with_a_card(self, best: Path, exported: Path) -> None:
        assert sorted(path.name for path in exported.iterdir()) == ["CARD.md", "model.onnx", "model.safetensors"]
        original = load_network(best / CHECKPOINT)[1]
        assert OnnxBackend(exported / "model.onnx").manifest == original
        assert load_network(exported / "model.safetensors")[1] == original
        card = (exported / "CARD.md").read_text()
        assert original.id in card
        assert "was not evaluated" in card

    @pytest.mark.usefixtures("material")
    def test_the_card_has_the_numbers_of_this_very_model(
        self, best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batches = []

        def export_onnx(*arguments: Any) -> Parity:
            batches.append(arguments[3])
            return Parity(1e-8, 1e-7, 1e-15, 1.0)

        monkeypatch.setattr(export, "export_onnx", export_onnx)
        model = tmp_path / "model.pt"
        model.write_bytes((best / CHECKPOINT).read_bytes())
        assert main(["evaluate", "--load", str(model), *OPTIONS]) == 0
        assert main(["export", "--load", str(model), "--outdir", str(tmp_path / "x")]) == 0
        numbers = json.loads((tmp_path / "evaluation.json").read_bytes())
        card = (tmp_path / "x" / "CARD.md").read_text()
        value = numbers["tasks"][0]["metrics"]["map"]["value"]
        assert "| album | 12 | " in card
        assert f"{value:.3f} (" in card
        (tmp_path / "evaluation.json").write_text(json.dumps({**numbers, "model_id": "another"}))
        assert main(["export", "--load", str(model), "--outdir", str(tmp_path / "y"), "--batch", "4"]) == 0
        assert "was not evaluated" in (tmp_path / "y" / "CARD.md").read_text()
        assert batches == [None, 4]

    @pytest.mark.parametrize("formats", [["torchscript"], ["onnx,tflite"], ["onnx", "coreml"]])
    def test_other_formats_are_refused(self, formats: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["export", "--formats", *formats]) == 1
        assert "cannot be written; onnx can: --formats onnx." in capsys.readouterr().err

    def test_what_onnx_has_no_operator_for_is_named_with_the_remedy(
        self, best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        manifest = load_network(best / CHECKPOINT)[1]
        monkeypatch.setattr(files, "load_network", lambda _: (Odd(), manifest))
        assert main(["export", "--load", str(best), "--outdir", str(tmp_path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "cannot be expressed in ONNX: the operator prims.bessel_j0." in line
        assert "fixed batch (--batch 1)" in line
        assert not (tmp_path / "model.onnx").exists()


class TestOnnxEval:
    def test_the_export_gives_the_same_numbers_and_times_are_told(
        self, best: Path, exported: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ["--onnx", str(exported / "model.onnx"), "--load", str(best), "--cache_dir", "/nowhere"]
        assert main(["onnx_eval", *options, "--timeit", "--runs", "3", "--batch", "2"]) == 0
        out = capsys.readouterr().out
        assert "64 windows of random numbers, 2 at a time" in out
        for name in ("mean error", "largest error", "mean squared error", "lowest cosine"):
            assert name in out
        assert "times as fast" in out

    def test_features_of_songs_serve_where_they_are_cached(
        self, best: Path, exported: Path, config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cache = SqliteCache(tmp_path, config.spec)
        cache.put(b"k" * 16, sounds(config, 1))
        cache.close()
        options = ["--onnx", str(exported / "model.onnx"), "--load", str(best), "--cache-dir", str(tmp_path)]
        assert main(["onnx-eval", *options]) == 0
        assert "3 windows from the feature cache, 1 at a time" in capsys.readouterr().out

    def test_the_exit_status_tells_a_difference(
        self, best: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        import onnx

        model = onnx.load(exported / "model.onnx")
        weights = max((each for each in model.graph.initializer if each.data_type == 1), key=lambda w: len(w.raw_data))
        values = onnx.numpy_helper.to_array(weights) + np.float32(0.1)
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        onnx.save(model, tmp_path / "other.onnx")
        assert main(["onnx-eval", "--onnx", str(tmp_path / "other.onnx"), "--load", str(best)]) == 1
        assert "does not give PyTorch's numbers" in capsys.readouterr().err

    def test_a_model_of_other_weights_is_told_apart(
        self, exported: Path, config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        torch.manual_seed(1)
        other = ResonanceNetwork.from_manifest(manifest_of(config))
        save_network(other, manifest_of(config), tmp_path / "other.pt")
        onnx = str(exported / "model.onnx")
        assert main(["onnx-eval", "--onnx", onnx, "--load", str(tmp_path / "other.pt")]) == 1
        assert "was not exported from" in capsys.readouterr().err


class TestUnusableModels:
    @pytest.mark.parametrize("verb", ["evaluate", "export", "onnx-eval"])
    def test_no_model_yet(
        self, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main([verb]) == 1
        assert "There is no model in runs/best yet; make one with `refine`" in capsys.readouterr().err

    def test_a_pickle_is_not_opened(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        torch.save({"weights": torch.zeros(2)}, tmp_path / CHECKPOINT)
        assert main(["export", "--load", str(tmp_path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "ckpt.pt is a pickle" in line
        assert "train the model again" in line

    @pytest.mark.parametrize("content", [b"", b"\x10\0\0\0\0\0\0\0{}", b"text\n" * 50])
    def test_damaged_weights(self, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / CHECKPOINT).write_bytes(content)
        assert main(["evaluate", "--load", str(tmp_path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "ckpt.pt is not a readable weights file" in line
        assert "train or install the model again" in line

    @pytest.mark.usefixtures("material")
    def test_a_log_that_is_none(self, best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / CHECKPOINT).write_bytes((best / CHECKPOINT).read_bytes())
        (tmp_path / "log.csv").write_text("epoch\n1\n")
        assert main(["evaluate", "--load", str(tmp_path), *OPTIONS]) == 1
        assert "log.csv is no log of a training run" in capsys.readouterr().err
