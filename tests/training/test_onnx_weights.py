"""An exported model holds the weights that it was made of, to the bit, whatever its layers are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import ModelError
from resonance_engine.network.export import example_inputs, export_onnx
from resonance_engine.network.files import load_network
from resonance_engine.network.onnx_weights import WEIGHTS_KEY, read_state
from tests.tiny_models import MANIFEST, features, onnx_model
from tests.tiny_networks import Exported, tiny_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FUSIONS = ("gated_add", "gated_concat", "cross_attention")


class MobileBackbone(nn.Module):
    """Everything that exporters fold: convolutions before batch norms, depthwise ones, two norms with the same numbers.

    One parameter is not used, one is used twice by two names, and one only after it was transposed.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16),
        )  # fmt: skip
        self.unused = nn.Linear(3, 2)
        self.turned = nn.Parameter(torch.randn(width, 16))
        self.scale = nn.Parameter(torch.rand(16))
        self.same_scale = self.scale

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.layers(x.unsqueeze(1)).mean(dim=(2, 3)) * self.scale + self.same_scale
        return functional.normalize(pooled @ self.turned.T, dim=1)


def assert_same(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        read = state[name]
        assert (read.dtype, read.shape) == (tensor.dtype, tensor.shape), name
        assert read.numpy().tobytes() == tensor.numpy().tobytes(), name


def change(path: Path, target: Path, key: str, value: str | None) -> Path:
    """Write a copy of a model with another metadata property, or without it."""
    model = onnx.load(path)
    metadata = {each.key: each.value for each in model.metadata_props}
    onnx.helper.set_model_props(
        model, {**metadata, key: value} if value is not None else {k: v for k, v in metadata.items() if k != key}
    )
    onnx.save(model, target)
    return target


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_state_is_the_exported_network_s(exported: dict[str, Exported], fusion: str) -> None:
    files = exported[fusion]
    original, manifest = load_network(files.weights)
    read, same_manifest = load_network(files.onnx)
    assert_same(read.state_dict(), original.state_dict())
    assert manifest == same_manifest == files.manifest
    assert not read.training


def test_no_layer_is_folded_away(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = tiny_network(backbone="residual")
    network.backbones["timbre"] = MobileBackbone(MANIFEST.dimensions)
    network.transform(torch.rand(MANIFEST.dimensions, MANIFEST.dimensions))
    layers = network.backbones["timbre"].layers
    for norm in (each for each in layers if isinstance(each, nn.BatchNorm2d)):
        norm.running_mean.uniform_(-1, 1)
        norm.num_batches_tracked.fill_(7)
    layers[4].load_state_dict(layers[1].state_dict())
    with torch.no_grad():
        layers[0].weight[0, 0, 0, 0] = -0.0
    manifest = replace(MANIFEST, backbones=dict.fromkeys(MANIFEST.modalities, "residual"), metric=True)
    path = tmp_path / "model.onnx"
    assert export_onnx(network, manifest, path).is_within_tolerances
    read, state = read_state(path)
    assert_same(state, network.state_dict())
    assert read.id == OnnxBackend(path).manifest.id
    # What is in the graph is not written a second time.
    places = json.loads({each.key: each.value for each in onnx.load(path).metadata_props}[WEIGHTS_KEY])
    written = {name.removeprefix("backbones.timbre.") for name, place in places.items() if place and "timbre" in name}
    assert written <= {"unused.weight", "unused.bias", "scale", "same_scale"} | {
        f"layers.{layer}.num_batches_tracked" for layer in (1, 4, 7, 10)
    }
    capfd.readouterr()
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert not capfd.readouterr().err, "no initializer that onnxruntime would have to remove"


def test_both_backends_run_one_file(exported: dict[str, Exported]) -> None:
    path, inputs = exported["gated_add"].onnx, features(3)
    by_onnx, by_torch = Encoder(path), Encoder(path, "torch")
    assert not isinstance(by_torch.backend, OnnxBackend)
    assert by_onnx.manifest == by_torch.manifest
    np.testing.assert_allclose(by_onnx.embed(inputs).vector, by_torch.embed(inputs).vector, atol=1e-5)


@pytest.mark.rest
def test_the_shipped_model_goes_on_from_its_own_file() -> None:
    network, manifest = load_network(SHIPPED)
    inputs = example_inputs(manifest, 2)
    with torch.inference_mode():
        expected = network(*inputs)
    outputs = OnnxBackend(SHIPPED).run({name: x.numpy() for name, x in zip(manifest.modalities, inputs, strict=True)})
    for ours, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


class TestRefusals:
    def test_a_file_of_an_earlier_version(self, exported: dict[str, Exported], tmp_path: Path) -> None:
        path = change(exported["gated_add"].onnx, tmp_path / "old.onnx", WEIGHTS_KEY, None)
        OnnxBackend(path)
        with pytest.raises(ModelError, match=r"old\.onnx does not hold the weights .* use the \.safetensors file"):
            Encoder(path, "torch")

    def test_eight_bits(self, exported: dict[str, Exported], tmp_path: Path) -> None:
        text = replace(exported["gated_add"].manifest, precision="int8").to_json()
        path = change(exported["gated_add"].onnx, tmp_path / "small.onnx", METADATA_KEY, text)
        with pytest.raises(ModelError, match=r"small\.onnx has the precision int8, and PyTorch takes float32"):
            load_network(path)

    def test_weights_of_another_id(self, exported: dict[str, Exported], tmp_path: Path) -> None:
        model = onnx.load(exported["gated_add"].onnx)
        (weights,) = (each for each in model.graph.initializer if each.name == "fusion.gates.weight")
        values = onnx.numpy_helper.to_array(weights).copy()
        values[0, 0] = np.nextafter(values[0, 0], np.float32(9))
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(ModelError, match=r"weights in .*other\.onnx are not those that its id [0-9a-f]{16} stands"):
            load_network(tmp_path / "other.onnx")

    @pytest.mark.parametrize(("number_format", "reason"), [(0, "UNDEFINED"), (99, "has the number format 99")])
    def test_weights_in_an_unknown_format(
        self, exported: dict[str, Exported], tmp_path: Path, number_format: int, reason: str
    ) -> None:
        model = onnx.load(exported["gated_add"].onnx)
        (weights,) = (each for each in model.graph.initializer if each.name == "fusion.gates.weight")
        weights.data_type = number_format
        onnx.save(model, tmp_path / "odd.onnx")
        with pytest.raises(ModelError, match=rf"odd\.onnx has a damaged list of weights .*{reason}"):
            load_network(tmp_path / "odd.onnx")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{", "damaged list of weights"),
            ("[]", "it is no JSON object"),
            ('{"no.such": null}', "no.such is missing"),
            ('{"a": 3}', "a should be an object or null, not 3"),
            ('{"a": {"dtype": "object", "shape": [1], "data": "AAAAAAAAAAA="}}', "a has the number format 'object'"),
            ('{"a": {"dtype": "int64", "shape": [2], "data": "AAAAAAAAAAA="}}', "cannot reshape"),
            ('{"a": {"dtype": "int64", "shape": [], "data": "AAAA"}}', "buffer size"),
            ('{"a": {"dtype": "int64", "shape": [], "data": "%"}}', "base64"),
            ("{}", "weights of another network"),
        ],
    )
    def test_a_damaged_list(self, exported: dict[str, Exported], tmp_path: Path, text: str, reason: str) -> None:
        path = change(exported["gated_add"].onnx, tmp_path / "bad.onnx", WEIGHTS_KEY, text)
        with pytest.raises(ModelError) as caught:
            load_network(path)
        assert reason in str(caught.value)
        assert "bad.onnx" in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"\x08\x0a" * 40, None], ids=["empty", "no graph", "other model"])
    def test_what_is_no_model_of_resonance(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "bad.onnx"
        path.write_bytes(onnx_model(metadata={}) if content is None else content)
        with pytest.raises(ModelError, match=r"bad\.onnx carries no Resonance manifest"):
            load_network(path)

    def test_a_torn_file(self, exported: dict[str, Exported], tmp_path: Path) -> None:
        path = tmp_path / "torn.onnx"
        path.write_bytes(exported["gated_add"].onnx.read_bytes()[:-100])
        with pytest.raises(ModelError, match=r"torn\.onnx is not a model that onnxruntime can run"):
            load_network(path)
