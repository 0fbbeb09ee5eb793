"""The weights that an ONNX file was exported from, kept in it by name and read back bit for bit.

An exporter folds constants: a batch norm becomes part of the convolution before it, and neither can be told from the
sum. Here the graph keeps the weights as they are, and onnxruntime folds them when it loads the file.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError

from resonance_engine.encoder.backends import read_onnx, unusable_model
from resonance_engine.encoder.manifest import Manifest, read_manifest
from resonance_engine.errors import ModelError, printable
from resonance_engine.features.spec import FRONT_END_VERSION
from resonance_engine.records import parse_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Numbers = NDArray[np.generic]

WEIGHTS_KEY = "resonance_weights"  # of the ONNX metadata, beside the manifest
DTYPES = ("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as JSON: its number format by numpy's name, its shape, and its bytes in base64."""

    dtype: str
    shape: tuple[int, ...]
    data: str


def optimize_graph(program: torch.onnx.ONNXProgram, weights: Iterable[str]) -> None:
    """Simplify an exported graph in place, except for the initializers named in `weights`, which stay as they are.

    The optimizer folds no inputs of a graph, since they may differ from run to run: the weights are inputs while it
    runs.
    """
    graph = program.model.graph
    count = len(graph.inputs)
    graph.inputs.extend(graph.initializers[name] for name in weights if name in graph.initializers)
    program.optimize()
    del graph.inputs[count:]


def describe_weights(model: onnx.ModelProto, state: Mapping[str, Tensor]) -> str:
    """Return, as JSON, where in a model each tensor of a state is: null for the initializer of that name.

    A tensor that the graph does not use, such as a batch norm's count of batches, or holds in another form, is written
    out instead; unused initializers would make onnxruntime warn.
    """
    initializers = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    places: dict[str, object] = {}
    for name, tensor in state.items():
        values = tensor.detach().cpu().contiguous().numpy()
        is_held = name in initializers and has_same_bits(initializers[name], values)
        places[name] = None if is_held else asdict(store_tensor(values))
    return json.dumps(places, sort_keys=True)


def has_same_bits(one: Numbers, other: Numbers) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def store_tensor(values: Numbers) -> StoredTensor:
    return StoredTensor(str(values.dtype), values.shape, base64.b64encode(values.tobytes()).decode())


def read_state(path: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """Read the manifest and the state of the network that an ONNX file was exported from.

    Raises ModelError for a file that is no model of Resonance, and for one that does not hold those weights.
    """
    shown = printable(path)
    content = read_onnx(path)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise unusable_model(path) from error
    metadata = {each.key: each.value for each in model.metadata_props}
    manifest = read_manifest(metadata, shown, FRONT_END_VERSION)
    if manifest.precision != "float32":
        raise ModelError(
            f"{shown} has the precision {manifest.precision}, and PyTorch takes float32; use the model that it was "
            "quantised from."
        )
    if WEIGHTS_KEY not in metadata:
        raise ModelError(
            f"{shown} does not hold the weights that it was exported from, as files of earlier versions do not; use "
            "the .safetensors file beside it, or export the model again."
        )
    initializers = {each.name: each for each in model.graph.initializer}
    try:
        places = json.loads(metadata[WEIGHTS_KEY])
        if not isinstance(places, dict):
            raise ValueError("it is no JSON object")
        state = {name: load_tensor(name, place, initializers) for name, place in places.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{shown} has a damaged list of weights ({error}); export or install the model again"
        ) from error
    return manifest, state


def load_tensor(name: str, place: object, initializers: Mapping[str, onnx.TensorProto]) -> Tensor:
    """Return a tensor from its place in a file, as `describe_weights` gives it; ValueError where it is not there."""
    stored = parse_value(StoredTensor | None, place, name)
    if stored is None:
        if name not in initializers:
            raise ValueError(f"{name} is missing")
        try:
            return torch.from_numpy(onnx.numpy_helper.to_array(initializers[name]).copy())
        except KeyError as error:  # of a number format that onnx does not know
            raise ValueError(f"{name} has the number format {initializers[name].data_type}") from error
    if stored.dtype not in DTYPES:
        raise ValueError(f"{name} has the number format {stored.dtype[:20]!r}")
    values = np.frombuffer(base64.b64decode(stored.data, validate=True), np.dtype(stored.dtype))
    return torch.from_numpy(values.reshape(stored.shape).copy())
