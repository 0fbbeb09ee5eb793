"""The shipped network as it was before training: the same layers with weights drawn by lot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class UntrainedNetwork:
    """Describes tracks by the embedding of a model directory's network with random weights."""

    model: Path
    seed: int = 0

    def __call__(self, features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        (embeddings,) = session(self.model, self.seed).run(["embedding"], dict(features))
        return np.asarray(embeddings.mean(axis=0), np.float32)


@cache
def session(model: Path, seed: int) -> Any:
    """The exported network, with its own weights replaced while it is loaded."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    weights = drawn(shapes(model / "model.safetensors"), np.random.default_rng(seed))
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in weights.items()}
    for name, value in values.items():
        options.add_initializer(name, value)
    made = onnxruntime.InferenceSession((model / "model.onnx").read_bytes(), options)
    made.drawn_weights = values  # the session does not own them: they must live as long as it
    return made


def shapes(weights: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the learned arrays, from the header of a safetensors file."""
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


def drawn(arrays: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> Weights:
    """Weights and biases uniform within 1 / sqrt(inputs of a unit), which is how PyTorch begins.

    Batch normalisation and input standardisation are part of the exported layers and stay as they are.
    """
    limits = {
        name.removesuffix(".weight"): np.prod(shape[1:]) ** -0.5
        for name, shape in arrays.items()
        if name.endswith(".weight") and len(shape) > 1
    }
    chosen = {name: shape for name, shape in arrays.items() if name.rpartition(".")[0] in limits}
    return {
        name: rng.uniform(-1, 1, shape).astype(np.float32) * np.float32(limits[name.rpartition(".")[0]])
        for name, shape in chosen.items()
    }
