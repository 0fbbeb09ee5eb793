"""Network -> ONNX file that says what it is, checked against PyTorch before anybody uses it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from resonance_engine.atomic import write_bytes
from resonance_engine.errors import ModelError
from resonance_engine.manifest import METADATA_KEY, Manifest
from resonance_engine.network.files import weight_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork

OPSET = 18  # what the exporter writes natively and onnxruntime 1.20 still reads
OUTPUTS = ["embedding", "facets", "gates"]
MEAN_TOLERANCE, MAXIMUM_TOLERANCE, COSINE_TOLERANCE = 1e-5, 1e-4, 0.9999


@dataclass(frozen=True)
class Parity:
    """How far the exported embeddings are from PyTorch's: mean and maximum error, mean squared error, lowest cosine."""

    mae: float
    maximum: float
    mse: float
    cosine: float

    @property
    def holds(self) -> bool:
        return (
            self.mae < MEAN_TOLERANCE
            and self.maximum < MAXIMUM_TOLERANCE
            and self.mse < MEAN_TOLERANCE
            and self.cosine > COSINE_TOLERANCE
        )


def example_inputs(manifest: Manifest, windows: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Random features in the ranges that the front end gives: decibels for timbre, 0 to 1 for the others."""
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for name, spec in manifest.spec.modalities.items():
        values = torch.rand(windows, *spec.shape(manifest.spec.decoding), generator=generator)
        inputs.append(values * 80 - 90 if name == "timbre" else values)
    return tuple(inputs)


def export_onnx(network: ResonanceNetwork, manifest: Manifest, path: Path, batch: int | None = None) -> Parity:
    """Write the network as an ONNX file with its manifest, for any batch of windows or for `batch` of them only.

    The file gets the id that belongs to the network's weights, as `save_network` gives it. Raises ModelError, and
    writes nothing, when onnxruntime's numbers are not PyTorch's.
    """
    network = network.eval()
    inputs = example_inputs(manifest, batch or 2)
    dynamic = None if batch else tuple({0: torch.export.Dim("batch", min=1, max=4096)} for _ in inputs)
    with warnings.catch_warnings():
        # One batch axis for all inputs is what is meant; and PyTorch complains of itself.
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        program = torch.onnx.export(
            network,
            inputs,
            input_names=list(manifest.modalities),
            output_names=OUTPUTS,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes=(dynamic,) if dynamic else None,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.sealed(weight_blocks(network)).to_json()})
    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces with the paths of the exporting machine
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    content = buffer.getvalue()
    parity = compare(content, network, example_inputs(manifest, batch or 5, seed=1))
    if not parity.holds:
        raise ModelError(
            f"The exported model does not give PyTorch's numbers ({parity}); nothing was written. "
            "Try a fixed batch, or another version of torch."
        )
    write_bytes(path, content)
    return parity


def compare(content: bytes, network: ResonanceNetwork, inputs: tuple[Tensor, ...]) -> Parity:
    """Parity of all outputs of an ONNX model with the network's, on the same inputs."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {node.name: x.numpy() for node, x in zip(session.get_inputs(), inputs, strict=True)}
    exported: list[NDArray[np.float32]] = session.run(OUTPUTS, feed)
    with torch.inference_mode():
        expected = [output.numpy() for output in network(*inputs)]
    errors = np.concatenate([(a - b).ravel() for a, b in zip(exported, expected, strict=True)])
    return Parity(
        mae=float(np.abs(errors).mean()),
        maximum=float(np.abs(errors).max()),
        mse=float(np.square(errors).mean()),
        cosine=float((exported[0] * expected[0]).sum(axis=1).min()),
    )
