"""Export a network as an ONNX file with its manifest, checked against PyTorch before it is written."""

from __future__ import annotations

import io
import logging
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from resonance_engine.encoder.manifest import METADATA_KEY, Manifest
from resonance_engine.errors import ModelError
from resonance_engine.features.spec import LogMelSpec
from resonance_engine.files import write_bytes
from resonance_engine.network.files import weight_blocks
from resonance_engine.network.onnx_weights import WEIGHTS_KEY, describe_weights, optimize_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork

OPSET = 18  # what the exporter writes natively and onnxruntime 1.20 still reads
OUTPUTS, TAGS = ["embedding", "facets", "gates"], "tags"
MEAN_TOLERANCE, MAXIMUM_TOLERANCE, COSINE_TOLERANCE = 1e-5, 1e-4, 0.9999


@dataclass(frozen=True)
class Parity:
    """Errors of exported outputs against PyTorch's: mean, largest and mean squared, over all outputs together.

    `cosine` is the lowest of the embeddings.
    """

    mae: float
    maximum: float
    mse: float
    cosine: float

    @property
    def is_within_tolerances(self) -> bool:
        return (
            self.mae < MEAN_TOLERANCE
            and self.maximum < MAXIMUM_TOLERANCE
            and self.mse < MEAN_TOLERANCE
            and self.cosine > COSINE_TOLERANCE
        )

    def against_tolerances(self) -> list[tuple[str, float, str]]:
        """Return each number with its name and its bound."""
        return [
            ("mean error", self.mae, f"below {MEAN_TOLERANCE:g}"),
            ("largest error", self.maximum, f"below {MAXIMUM_TOLERANCE:g}"),
            ("mean squared error", self.mse, f"below {MEAN_TOLERANCE:g}"),
            ("lowest cosine", self.cosine, f"above {COSINE_TOLERANCE:g}"),
        ]


def example_inputs(manifest: Manifest, windows: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Draw random features in the front end's ranges: decibels for log-mel, 0 to 1 for the others."""
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for spec in manifest.spec.modalities.values():
        values = torch.rand(windows, *spec.shape(manifest.spec.decoding), generator=generator)
        inputs.append(values * 80 - 90 if isinstance(spec, LogMelSpec) else values)
    return tuple(inputs)


def export_onnx(network: ResonanceNetwork, manifest: Manifest, path: Path, batch: int | None = None) -> Parity:
    """Write the network as an ONNX file with its manifest, for any batch of windows or for `batch` of them only.

    The file gets the same id as a weights file of `save_network`, and `load_network` reads the same network from it.
    Raises ModelError, and writes nothing, when onnxruntime's numbers are not PyTorch's or ONNX lacks an operator for
    what the network does.
    """
    network = network.eval()
    state = network.state_dict()
    inputs = example_inputs(manifest, batch or 2)
    dynamic = None if batch else tuple({0: torch.export.Dim("batch", min=1, max=4096)} for _ in inputs)
    # They would warn that torchvision is not installed, and that weights stay as they are.
    with warnings.catch_warnings(), silence("torch.onnx"), silence("onnx_ir"):
        # One batch axis for all inputs is intended; the other warning is about PyTorch's own code.
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        try:
            program = torch.onnx.export(
                network,
                inputs,
                input_names=list(manifest.modalities),
                output_names=[*OUTPUTS, TAGS] if manifest.tags else OUTPUTS,
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                dynamic_shapes=(dynamic,) if dynamic else None,
                verbose=False,
                optimize=False,
            )
            assert program is not None
            optimize_graph(program, state)
        except torch.onnx.OnnxExporterError as error:
            raise ModelError(explain_inexpressible(error, batch)) from error
    model = program.model_proto
    sealed = manifest.seal(weight_blocks(network))
    metadata = {METADATA_KEY: sealed.to_json(), WEIGHTS_KEY: describe_weights(model, state)}
    onnx.helper.set_model_props(model, metadata)
    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces with the paths of the exporting machine
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    content = buffer.getvalue()
    parity = compare(content, network, example_inputs(manifest, batch or 5, seed=1))
    if not parity.is_within_tolerances:
        raise ModelError(
            f"The exported model does not give PyTorch's numbers ({parity}); nothing was written. "
            "Try a fixed batch, or another version of torch."
        )
    write_bytes(path, content)
    return parity


@contextmanager
def silence(name: str | None = None) -> Iterator[None]:
    """Silence the warnings of a logger, of the root without a name, within the context."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def explain_inexpressible(error: BaseException, batch: int | None) -> str:
    """Return a sentence with the operator that ONNX lacks, from the exporter's error, and the remedy."""
    while error.__cause__ is not None:
        error = error.__cause__
    operator = re.search(r"op='([\w.]+)'|torch\.ops\.([\w.]+)", str(error))
    what = f"the operator {operator[1] or operator[2]}" if operator else str(error).partition("\n")[0].rstrip(".")
    remedy = "export it for a fixed batch (--batch 1), or " if batch is None else ""
    return (
        f"The network cannot be expressed in ONNX: {what}. Nothing was written; {remedy}use a backbone and a fusion "
        "that do without it, or run the weights themselves with --backend torch."
    )


def compare(content: bytes, network: ResonanceNetwork, inputs: tuple[Tensor, ...]) -> Parity:
    """Compare all outputs of an ONNX model with the network's, on the same inputs."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {node.name: x.numpy() for node, x in zip(session.get_inputs(), inputs, strict=True)}
    exported: list[NDArray[np.float32]] = session.run([node.name for node in session.get_outputs()], feed)
    with torch.inference_mode():
        expected = [output.numpy() for output in network(*inputs)]
    return compute_parity(exported, expected)


def compute_parity(exported: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]) -> Parity:
    """Compute the errors of a model's outputs, the embeddings first, against those expected."""
    errors = np.concatenate([(a - b).ravel() for a, b in zip(exported, expected, strict=True)])
    return Parity(
        mae=float(np.abs(errors).mean()),
        maximum=float(np.abs(errors).max()),
        mse=float(np.square(errors).mean()),
        cosine=float((exported[0] * expected[0]).sum(axis=1).min()),
    )
