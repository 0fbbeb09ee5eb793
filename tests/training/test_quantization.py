"""The INT8 model hears nearly what the float one hears, and never passes for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import onnx
import onnxruntime

from resonance_engine.encoder.encoder import Encoder
from resonance_engine.errors import ModelError
from resonance_engine.network import quantization
from resonance_engine.network.quantization import QuantizationLoss, compare, quantize, store_kernels
from tests.tiny_models import features

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.encoder.backends import OnnxBackend
    from tests.tiny_networks import Exported

SMALL = 1000  # weights of a matrix that counts as large here
TRACKS = [features(3, seed=seed) for seed in range(6)]


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory, exported: dict[str, Exported]) -> tuple[Path, QuantizationLoss]:
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    return path, quantize(exported["gated_add"].onnx, path, iter(TRACKS), worthwhile=SMALL)


def test_it_runs_as_any_model_and_loses_what_was_told(
    quantised: tuple[Path, QuantizationLoss], exported: dict[str, Exported]
) -> None:
    path, loss = quantised
    before, after = (Encoder(each) for each in (exported["gated_add"].onnx, path))
    heard = [(before.embed(track), after.embed(track)) for track in TRACKS[1::2]]
    windows = np.concatenate([(a.windows.vectors * b.windows.vectors).sum(axis=1) for a, b in heard])
    assert loss.mean == pytest.approx(windows.mean(), abs=1e-6)
    assert loss.lowest == pytest.approx(windows.min(), abs=1e-6)
    assert 0.999 < loss.lowest < 1 - 1e-6  # something was quantised, and little lost
    assert set(loss.facets) == {"timbre", "harmony", "rhythm"}
    assert min(loss.facets.values()) > 0.999
    assert loss.tags == 0


def test_the_loss_is_of_all_outputs() -> None:
    def backend(embedding: list[float], facet: list[float], tag: float) -> OnnxBackend:
        outputs = ([embedding], [[facet]], [[1.0]], [[0.5, tag]])
        manifest = SimpleNamespace(modalities=("timbre",), tags=("calm", "loud"))
        arrays = tuple(np.array(each, np.float32) for each in outputs)
        return cast("OnnxBackend", SimpleNamespace(manifest=manifest, run=lambda _: arrays))

    loss = compare(backend([1, 0], [0, 1], 0.25), backend([0.8, 0.6], [0, -1], 0.5), [{}, {}], (8, 2))
    assert loss == QuantizationLoss(pytest.approx(0.8), pytest.approx(0.8), {"timbre": -1.0}, 0.25, (8, 2))


def test_it_is_smaller_and_has_an_id_of_its_own(
    quantised: tuple[Path, QuantizationLoss], exported: dict[str, Exported]
) -> None:
    path, loss = quantised
    original, manifest = exported["gated_add"].manifest, Encoder(path).manifest
    assert loss.bytes == (exported["gated_add"].onnx.stat().st_size, path.stat().st_size)
    assert manifest.precision == "int8"
    assert manifest.id != original.id
    assert (manifest.name, manifest.spec, manifest.fusion) == (original.name, original.spec, original.fusion)


@pytest.mark.parametrize("axes", [2, 4], ids=["matrices", "kernels"])
def test_large_weights_alone_are_bytes(quantised: tuple[Path, QuantizationLoss], axes: int) -> None:
    weights = onnx.load(quantised[0]).graph.initializer
    bytes_of = {
        tuple(each.dims) for each in weights if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == axes
    }
    assert bytes_of
    assert min(np.prod(shape) for shape in bytes_of) >= SMALL
    large = [each for each in weights if len(each.dims) == axes and np.prod(each.dims) >= SMALL]
    assert {each.data_type for each in large} == {onnx.TensorProto.INT8}


def test_kernels_are_float_again_once_they_are_loaded(tmp_path: Path) -> None:
    rng, helper = np.random.default_rng(0), onnx.helper
    kernel = (
        rng.normal(size=(8, 4, 3, 3)).astype(np.float32)
        * np.geomspace(1e-6, 1e3, 8, dtype=np.float32)[:, None, None, None]
    )
    kernel[3] = 0
    shapes = {"x": [1, 4, 9, 9], "y": [1, 8, 7, 7]}
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    node = helper.make_node("Conv", ["x", "kernel"], ["y"])
    graph = helper.make_graph([node], "conv", ends[:1], ends[1:], [onnx.numpy_helper.from_array(kernel, "kernel")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    store_kernels(model, kernel.size)
    onnx.checker.check_model(model, full_check=True)
    assert {each.name for each in model.graph.initializer} == {"kernel_steps", "kernel_scale"}

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(tmp_path / "loaded.onnx").graph
    assert [each.op_type for each in loaded.node] == ["Conv"], "nothing is left to do in every run"
    (weights,) = (onnx.numpy_helper.to_array(each) for each in loaded.initializer if len(each.dims) == 4)
    half_a_step = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127 / 2
    assert (np.abs(weights - kernel) <= half_a_step * 1.001).all()
    assert np.abs(weights - kernel).max() > 0


def test_small_kernels_stay_as_they_are(exported: dict[str, Exported]) -> None:
    model = onnx.load(exported["gated_add"].onnx)
    before = model.SerializeToString(deterministic=True)
    assert store_kernels(model, 1_000_000).SerializeToString(deterministic=True) == before


def test_the_same_calibration_gives_the_same_file(
    tmp_path: Path, quantised: tuple[Path, QuantizationLoss], exported: dict[str, Exported]
) -> None:
    again = tmp_path / "again.onnx"
    quantize(exported["gated_add"].onnx, again, TRACKS, worthwhile=SMALL)
    assert again.read_bytes() == quantised[0].read_bytes()


def test_other_music_gives_another_id(
    tmp_path: Path, quantised: tuple[Path, QuantizationLoss], exported: dict[str, Exported]
) -> None:
    quantize(exported["gated_add"].onnx, tmp_path / "other.onnx", [features(2, seed=9)] * 2, worthwhile=SMALL)
    assert Encoder(tmp_path / "other.onnx").manifest.id != Encoder(quantised[0]).manifest.id


def test_what_cannot_be_quantised_is_told(
    tmp_path: Path, quantised: tuple[Path, QuantizationLoss], exported: dict[str, Exported]
) -> None:
    out, model = tmp_path / "out.onnx", exported["gated_add"].onnx
    no_rhythm = [{name: values for name, values in each.items() if name != "rhythm"} for each in TRACKS]
    short = [{**each, "timbre": each["timbre"][:, :, :-1]} for each in TRACKS]
    with pytest.raises(ModelError, match="precision int8; quantise the float32 model"):
        quantize(quantised[0], out, TRACKS)
    with pytest.raises(ModelError, match="takes 3 windows at a time; export it again"):
        quantize(exported["gated_concat"].onnx, out, TRACKS)
    with pytest.raises(ModelError, match="two tracks or more, and 1 came"):
        quantize(model, out, TRACKS[:1])
    with pytest.raises(ModelError, match=r"rhythm as \(windows, 32\), and none came"):
        quantize(model, out, no_rhythm)
    with pytest.raises(ModelError, match=r"timbre as \(windows, 20, 50\), and \(3, 20, 49\) came"):
        quantize(model, out, short)
    with pytest.raises(ModelError, match="no matrix of 100000 weights"):
        quantize(model, out, TRACKS)
    assert not out.exists()


def test_a_model_that_lost_too_much_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: dict[str, Exported]
) -> None:
    monkeypatch.setattr(quantization, "LOWEST_COSINE", 1.1)
    with pytest.raises(ModelError, match=r"mean cosine of \d\.\d{4} .* nothing was written"):
        quantize(exported["gated_add"].onnx, tmp_path / "out.onnx", TRACKS, worthwhile=SMALL)
    assert list(tmp_path.iterdir()) == []
