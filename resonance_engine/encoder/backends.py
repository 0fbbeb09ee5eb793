"""Backends that run a network on features: exported models by onnxruntime; see `network.files` for checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.encoder.manifest import read_manifest
from resonance_engine.encoder.onnx_check import LARGEST, is_self_contained
from resonance_engine.errors import ModelError, printable
from resonance_engine.features.spec import FRONT_END_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnxruntime
    from numpy.typing import NDArray

    from resonance_engine.encoder.manifest import Manifest

    Features = Mapping[str, NDArray[np.float32]]
    Outputs = tuple[NDArray[np.float32], ...]

MOST_SHOWN = 200  # characters of an error of onnxruntime
# Windows at once: the arrays of several leave the processor's cache, which costs up to a quarter more time.
AT_ONCE = 1


class Backend(Protocol):
    """A network that maps the features of windows to their embeddings, facets, gates and, where it has them, tags."""

    manifest: Manifest

    def run(self, features: Features) -> Outputs: ...


class OnnxBackend:
    """An exported model file, run by onnxruntime on one thread: tracks, not layers, run in parallel."""

    def __init__(self, path: Path, session: onnxruntime.InferenceSession | None = None) -> None:
        self.session = session or open_session(path)
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.manifest = read_manifest(metadata, printable(path), FRONT_END_VERSION)
        inputs, outputs = (
            {node.name: list(node.shape) for node in nodes}
            for nodes in (self.session.get_inputs(), self.session.get_outputs())
        )
        expected_inputs, expected_outputs = signature(self.manifest)
        outputs = {name: shape for name, shape in outputs.items() if name in expected_outputs}
        self.names = list(expected_outputs)
        wrong = find_mismatch(inputs, expected_inputs) or find_mismatch(outputs, expected_outputs)
        if wrong:
            raise ModelError(f"{printable(path)} is not what its manifest says: {wrong}. Export it again.")
        batch = next(iter(inputs.values()))[0]
        self.batch = batch if isinstance(batch, int) else None  # that the file is for, where it is not for any

    def run(self, features: Features) -> Outputs:
        # Of a model with a fixed batch, the last one is filled up with repetitions, whose results are dropped.
        count, step = len(next(iter(features.values()))), self.batch or AT_ONCE
        rows = np.arange(-(-count // step) * step) % count
        parts = [
            self.infer({name: x[rows[at : at + step]] for name, x in features.items()})
            for at in range(0, len(rows), step)
        ]
        return tuple(np.concatenate(part)[:count] for part in zip(*parts, strict=True))

    def infer(self, features: Features) -> Outputs:
        return tuple(self.session.run(self.names, dict(features)))


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Load a model file into onnxruntime; ModelError where that is impossible."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # it saves no time here, and would keep 50 MB between two tracks
    content = read_onnx(path)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds, all meaning that the file is not a usable model
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise ModelError(f"{printable(path)} needs more memory to be loaded than a worker may use") from error
        raise unusable_model(path, error) from error


def read_onnx(path: Path) -> bytes:
    """Read an ONNX file; ModelError where it is not readable, or not all of its numbers are in it."""
    try:
        if path.stat().st_size > LARGEST:
            raise unusable_model(path)
        content = path.read_bytes()
        if is_self_contained(content):
            return content
    except OSError as error:
        raise ModelError(f"The model {printable(path)} cannot be read: {error.strerror}.") from error
    except (ValueError, MemoryError) as error:
        raise unusable_model(path) from error
    raise ModelError(
        f"{printable(path)} wants to read numbers from another file, which a model may not; export it into one file "
        "or remove the model option to use the shipped one"
    )


def unusable_model(path: Path, error: Exception | None = None) -> ModelError:
    why = f" ({' '.join(str(error).split())[:MOST_SHOWN]})" if error else ""
    return ModelError(
        f"{printable(path)} is not a model that onnxruntime can run, or only a part of one{why}; copy or export it "
        "again, or use the shipped model"
    )


def signature(manifest: Manifest) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return names and shapes of a model's inputs and outputs, the windows' axis left out."""
    specs = manifest.spec.modalities
    count, width = len(specs), manifest.dimensions
    inputs = {name: spec.shape(manifest.spec.decoding) for name, spec in specs.items()}
    outputs: dict[str, tuple[int, ...]] = {"embedding": (width,), "facets": (count, width), "gates": (count,)}
    return inputs, outputs | ({"tags": (len(manifest.tags),)} if manifest.tags else {})


def find_mismatch(actual: Mapping[str, list[int | str]], expected: Mapping[str, tuple[int, ...]]) -> str:
    """Return the first difference between a model's arrays and the expected ones, as a clause; "" without any."""
    if set(actual) != set(expected):
        return f"it should have {', '.join(expected)} and has {', '.join(sorted(actual))}"
    for name, shape in expected.items():
        # An exporter may leave a length open.
        pairs = zip(actual[name][1:], shape, strict=False)
        if len(actual[name]) != len(shape) + 1 or any(isinstance(a, int) and a != b for a, b in pairs):
            return f"{name} should have the shape (windows, {', '.join(map(str, shape))}) and has {actual[name]}"
    return ""
