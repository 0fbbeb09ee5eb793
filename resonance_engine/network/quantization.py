"""Quantise the large matrices and kernels of an exported model to INT8, and measure the change of its embeddings.

Matrices are multiplied in INT8. Kernels of convolutions are only stored in it and are float again once the file is
loaded: onnxruntime runs float convolutions in a layout of their own and INT8 ones without it, and a network of which
they were quantised too took 1.7 times as long on x86 with VNNI.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from resonance_engine.encoder.backends import OnnxBackend, signature
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.errors import ModelError, printable
from resonance_engine.files import write_bytes
from resonance_engine.network.export import silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.encoder.backends import Features
    from resonance_engine.encoder.manifest import Manifest

PRECISION = "int8"
MATRIX_PRODUCTS = ("Gemm", "MatMul")
WORTHWHILE = 100_000  # weights of a matrix or a kernel: smaller ones save next to nothing and cost as much accuracy
HIGHEST = 127  # of eight bits
LOWEST_COSINE = 0.99


@dataclass(frozen=True)
class QuantizationLoss:
    """Change by quantisation, on windows that did not calibrate it: cosines with the float model's vectors.

    `mean` and `lowest` are of the embeddings, `facets` the means of each facet; `tags` is the largest difference of a
    tag's probability, zero where the model has no tags. `bytes` are the sizes of the files before and after.
    """

    mean: float
    lowest: float
    facets: dict[str, float]
    tags: float
    bytes: tuple[int, int]


def quantize(model: Path, out: Path, features: Iterable[Features], worthwhile: int = WORTHWHILE) -> QuantizationLoss:
    """Write an exported model with its matrices and kernels of `worthwhile` weights or more in INT8; return the loss.

    `features` are real ones, the front end's for one track each, two tracks at least: every other one calibrates the
    ranges of the activations, the rest measure the loss. Weights have eight bits and a scale per output; activations
    of matrices sixteen, since projections subtract most of their input. The manifest is the old one with the precision
    "int8" and an id of its own, so vectors of both models never mix.

    Raises ModelError, and writes nothing, for a model that is no float32 one for any number of windows, for features
    that are not its input, and where the embeddings' mean cosine falls below 0.99.
    """
    original = OnnxBackend(model)
    check_quantizable(original, printable(model))
    tracks = [select_inputs(each, original.manifest) for each in features]
    if len(tracks) < 2:
        raise ModelError(
            f"Quantising needs the features of two tracks or more, and {len(tracks)} came: "
            "one half calibrates, the other tells what was lost."
        )
    with tempfile.TemporaryDirectory() as folder:
        folded, quantised = Path(folder) / "folded.onnx", Path(folder) / "quantised.onnx"
        fold_constants(model, folded)
        nodes = list_matrix_products(onnx.load(folded), worthwhile)
        if not nodes:
            raise ModelError(f"{printable(model)} has no matrix of {worthwhile} weights or more to quantise.")
        with silence():  # the quantiser warns, through the root logger, that it takes a later opset
            quantize_static(
                folded,
                quantised,
                Calibration(tracks[::2]),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(MATRIX_PRODUCTS),
                nodes_to_quantize=nodes,
                activation_type=QuantType.QUInt16,
                weight_type=QuantType.QInt8,
                per_channel=True,
            )
        content = seal(store_kernels(onnx.load(quantised), worthwhile), original.manifest)
        quantised.write_bytes(content)
        sizes = model.stat().st_size, len(content)
        loss = compare(original, OnnxBackend(quantised), tracks[1::2], sizes)
    if not loss.mean >= LOWEST_COSINE:
        raise ModelError(
            f"The INT8 model's embeddings have a mean cosine of {loss.mean:.4f} with the float model's, below "
            f"{LOWEST_COSINE}; nothing was written. Calibrate with more music, or use the float model."
        )
    write_bytes(out, content)
    return loss


def check_quantizable(model: OnnxBackend, shown: str) -> None:
    """Raise ModelError for a model that cannot be quantised, or was already."""
    if model.manifest.precision != "float32":
        raise ModelError(f"{shown} has the precision {model.manifest.precision}; quantise the float32 model instead.")
    if model.batch is not None:
        raise ModelError(
            f"{shown} takes {model.batch} windows at a time; export it again without --batch, for any number."
        )


def select_inputs(features: Features, manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Select the features that a model takes; raises ModelError where they lack one or it has another shape."""
    inputs, _ = signature(manifest)
    for name, shape in inputs.items():
        actual = features[name].shape if name in features else None
        if actual is None or actual[1:] != shape:
            came = "none came" if actual is None else f"{actual} came"
            raise ModelError(
                f"The features for calibration should hold {name} as (windows, {', '.join(map(str, shape))}), and "
                f"{came}; measure them with the model's own front end."
            )
    return {name: np.asarray(features[name], np.float32) for name in inputs}


class Calibration:
    """Features one track after the other, as onnxruntime reads them: None after the last."""

    def __init__(self, tracks: Sequence[Features]) -> None:
        rest = iter(tracks)
        self.get_next = lambda: next(rest, None)


def fold_constants(model: Path, folded: Path) -> None:
    """Write the model with all that does not depend on its input computed: batch norms are part of weights."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    graph = onnx.load(folded)
    add_pre_process_metadata(graph)  # or it would be recommended to the user
    onnx.save(graph, folded)


def list_matrix_products(model: onnx.ModelProto, worthwhile: int) -> list[str]:
    """List the nodes that multiply by a constant matrix of so many weights or more."""
    large = {each.name for each in model.graph.initializer if prod(each.dims) >= worthwhile}
    return [node.name for node in model.graph.node if node.op_type in MATRIX_PRODUCTS and large & {*node.input}]


def store_kernels(model: onnx.ModelProto, worthwhile: int) -> onnx.ModelProto:
    """Store the kernels of convolutions of so many weights or more in eight bits, with a scale per output, in place.

    Nodes at the beginning of the graph turn them back; as they depend on nothing else, a session does so once, when it
    loads the file. DequantizeLinear would be done in every run.
    """
    graph = model.graph
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    nodes = []
    for tensor in [each for each in graph.initializer if each.name in kernels and prod(each.dims) >= worthwhile]:
        name, values = tensor.name, onnx.numpy_helper.to_array(tensor)
        largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
        scale = np.where(largest > 0, largest / HIGHEST, 1).astype(np.float32)
        steps = np.rint(values / scale).astype(np.int8)
        graph.initializer.remove(tensor)
        graph.initializer.append(onnx.numpy_helper.from_array(steps, f"{name}_steps"))
        graph.initializer.append(onnx.numpy_helper.from_array(scale, f"{name}_scale"))
        nodes += [
            onnx.helper.make_node("Cast", [f"{name}_steps"], [f"{name}_float"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]),
        ]
    for node in reversed(nodes):
        graph.node.insert(0, node)
    return model


def seal(model: onnx.ModelProto, manifest: Manifest) -> bytes:
    """Return the quantised model as a file with its manifest, whose id is a hash of the quantised weights."""
    blocks = sorted(each.name.encode() + each.SerializeToString(deterministic=True) for each in model.graph.initializer)
    manifest = replace(manifest, precision=PRECISION).seal(blocks)
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def compare(
    original: OnnxBackend, quantised: OnnxBackend, tracks: Sequence[Features], sizes: tuple[int, int]
) -> QuantizationLoss:
    """Compare the quantised model's outputs with the original's, on the windows of these tracks."""
    runs = [(original.run(track), quantised.run(track)) for track in tracks]
    before, after = (
        [np.concatenate(each) for each in zip(*outputs, strict=True)] for outputs in zip(*runs, strict=True)
    )
    # Both models' vectors have length one.
    embeddings, facets = ((before[at] * after[at]).sum(axis=-1) for at in (0, 1))
    return QuantizationLoss(
        mean=float(embeddings.mean()),
        lowest=float(embeddings.min()),
        facets=dict(zip(original.manifest.modalities, facets.mean(axis=0).tolist(), strict=True)),
        tags=float(np.abs(before[3] - after[3]).max()) if original.manifest.tags else 0.0,
        bytes=sizes,
    )
