"""Models small enough to be made in a test: the real file format, random weights, a front end of short windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.encoder.manifest import METADATA_KEY, Manifest
from resonance_engine.features.spec import (
    FRONT_END_VERSION,
    Decoding,
    FeatureSpec,
    Framing,
    HarmonySpec,
    LogMelSpec,
    RhythmSpec,
    SemanticSpec,
    TimbreSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FRAMING = Framing(rate=8000, n_fft=512, hop=160, n_mels=20)
SPEC = FeatureSpec(
    decoding=Decoding(rate=8000, seconds=1.0, hop_seconds=0.5, windows=3),
    timbre=TimbreSpec(FRAMING),
    harmony=HarmonySpec(FRAMING, bins=12),
    rhythm=RhythmSpec(FRAMING, lags=32),
)
MANIFEST = Manifest("tiny", "1", "MIT", SPEC, FRONT_END_VERSION, dimensions=16)
# The hop is so short that a window holds two patches of the semantic network, and a rest.
TAGGED = replace(
    MANIFEST,
    spec=replace(SPEC, semantic=SemanticSpec(Framing(rate=8000, n_fft=512, hop=20, n_mels=96))),
    tags=tuple(f"tag {number}" for number in range(50)),
)


def features(count: int, seed: int = 0, spec: FeatureSpec = SPEC) -> dict[str, NDArray[np.float32]]:
    """Features of windows as the front end of a spec could give them."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, each in spec.modalities.items():
        values = rng.random((count, *each.shape(spec.decoding)), np.float32)
        arrays[name] = 80 * values - 90 if isinstance(each, LogMelSpec) else values
    return arrays


def onnx_model(
    manifest: Manifest = MANIFEST,
    *,
    metadata: Mapping[str, str] | None = None,
    batch: int | str = "batch",
    seed: int = 0,
    length: float = 1.0,
    outputs: tuple[str, ...] | None = None,
    likelihood: float = 1.0,
) -> bytes:
    """An ONNX file: facets are linear in the features, gates all equal; the embedding has the given length.

    Tags are probabilities times the `likelihood`. The manifest is sealed with the seed. `metadata` takes the manifest's
    place in the file. Skips the test where the package onnx, of the training extra, is missing.
    """
    onnx = pytest.importorskip("onnx", reason="needs the training extra: onnx writes the model")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    sealed = manifest.seal([str(seed).encode()])
    specs = manifest.spec.modalities
    rng = np.random.default_rng(seed)
    nodes, weights, inputs = [], [], []

    def constant(name: str, values: NDArray[np.generic]) -> str:
        weights.append(onnx.numpy_helper.from_array(values, name))
        return name

    for name, spec in specs.items():
        shape = spec.shape(manifest.spec.decoding)
        inputs.append(helper.make_tensor_value_info(name, kind, [batch, *shape]))
        size = int(np.prod(shape))
        matrix = constant(f"{name}_w", rng.standard_normal((size, manifest.dimensions)).astype(np.float32))
        bias = constant(f"{name}_b", rng.standard_normal(manifest.dimensions).astype(np.float32))
        nodes += [
            helper.make_node("Flatten", [name], [f"{name}_flat"]),
            helper.make_node("Gemm", [f"{name}_flat", matrix, bias], [f"{name}_raw"]),
            helper.make_node("LpNormalization", [f"{name}_raw"], [f"{name}_facet"], axis=1),
            helper.make_node("Unsqueeze", [f"{name}_facet", "axis"], [f"{name}_row"]),
        ]
    constant("axis", np.array([1], np.int64))
    constant("length", np.array(length, np.float32))
    nodes += [
        helper.make_node("Concat", [f"{name}_row" for name in specs], ["facets"], axis=1),
        helper.make_node("Sum", [f"{name}_facet" for name in specs], ["sum"]),
        helper.make_node("LpNormalization", ["sum"], ["unit"], axis=1),
        helper.make_node("Mul", ["unit", "length"], ["embedding"]),
        helper.make_node("ReduceMean", ["facets", "last"], ["even"], keepdims=0),
        helper.make_node("Mul", ["even", "zero"], ["nothing"]),
        helper.make_node("Softmax", ["nothing"], ["gates"], axis=1),
    ]
    constant("last", np.array([2], np.int64))
    constant("zero", np.array(0, np.float32))
    shapes = {"embedding": [manifest.dimensions], "facets": [len(specs), manifest.dimensions], "gates": [len(specs)]}
    if manifest.tags:
        shapes["tags"] = [len(manifest.tags)]
        constant("tags_w", rng.standard_normal((manifest.dimensions, len(manifest.tags))).astype(np.float32))
        constant("likelihood", np.array(likelihood, np.float32))
        nodes += [
            helper.make_node("MatMul", ["unit", "tags_w"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
            helper.make_node("Mul", ["probabilities", "likelihood"], ["tags"]),
        ]
    declared = [helper.make_tensor_value_info(name, kind, [batch, *shapes[name]]) for name in outputs or shapes]
    graph = helper.make_graph(nodes, "tiny", inputs, declared, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: sealed.to_json()} if metadata is None else dict(metadata))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def other_decoding() -> Manifest:
    """A manifest whose features have another shape than MANIFEST's."""
    return replace(MANIFEST, spec=replace(SPEC, decoding=replace(SPEC.decoding, seconds=2.0)))
