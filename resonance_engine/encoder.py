"""Features of a track's windows -> its embedding, through a model file.

Two backends give the same numbers: `onnx` runs an exported model with onnxruntime, `torch` runs a training checkpoint.
Only the second loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.errors import ModelError
from resonance_engine.features import FRONT_END_VERSION
from resonance_engine.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Features = Mapping[str, NDArray[np.float32]]
    Outputs = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

SHIPPED = Path(__file__).with_name("models") / "default" / "model.onnx"
BACKENDS = ("auto", "onnx", "torch")
BATCH = 8  # windows at a time: larger batches do not make onnxruntime faster, only larger
PARTS = {".onnx": "onnx", ".safetensors": "torch"}


@dataclass(frozen=True)
class TrackEmbedding:
    """What a model hears in one track.

    `embedding` (dimensions,) and each of `facets` (dimensions,) are unit vectors: the normalised means over the
    windows. `gates` sum to one. `windows` (n, dimensions) are the windows' own embeddings.
    """

    embedding: NDArray[np.float32]
    facets: dict[str, NDArray[np.float32]]
    gates: dict[str, float]
    windows: NDArray[np.float32]


class Backend(Protocol):
    """Runs a network on the features of some windows: embeddings, facets and gates of each window."""

    manifest: Manifest

    def run(self, features: Features) -> Outputs: ...


class OnnxBackend:
    """An exported model file, run by onnxruntime on one thread: tracks, not layers, are done side by side."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            # Bytes, not a path: a model from elsewhere cannot make the runtime read further files beside it.
            self.session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except OSError as error:
            raise ModelError(f"The model {path} cannot be read: {error.strerror}.") from error
        except Exception as error:  # onnxruntime raises many kinds, all meaning that the file is not a usable model
            raise ModelError(
                f"{path} is not a model that onnxruntime can run; export it again or remove the model option "
                "to use the shipped one"
            ) from error
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.manifest = read_manifest(metadata, str(path), FRONT_END_VERSION)
        inputs = {node.name for node in self.session.get_inputs()}
        outputs = {node.name for node in self.session.get_outputs()}
        if inputs != set(self.manifest.modalities) or not {"embedding", "facets", "gates"} <= outputs:
            raise ModelError(
                f"{path} should take {', '.join(self.manifest.modalities)} and give embedding, facets and gates; "
                f"it takes {', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}. Export it again."
            )
        first = self.session.get_inputs()[0].shape[0]
        self.batch = first if isinstance(first, int) else None

    def run(self, features: Features) -> Outputs:
        if self.batch is None:
            return self.infer(features)
        # A model of a fixed batch: the last one is filled up with repetitions, whose results are dropped.
        count = len(next(iter(features.values())))
        rows = np.arange(-(-count // self.batch) * self.batch) % count
        parts = [
            self.infer({name: x[rows[at : at + self.batch]] for name, x in features.items()})
            for at in range(0, len(rows), self.batch)
        ]
        embedding, facets, gates = (np.concatenate(part)[:count] for part in zip(*parts, strict=True))
        return embedding, facets, gates

    def infer(self, features: Features) -> Outputs:
        embedding, facets, gates = self.session.run(["embedding", "facets", "gates"], dict(features))
        return embedding, facets, gates


def backend_of(path: Path, backend: str = "auto") -> str:
    """Which backend a model path needs, `onnx` or `torch`, told from what the path holds.

    A directory holds a model under a known suffix (.onnx, .safetensors); where it has both, the exported one is used.
    Raises ModelError where that cannot be told.
    """
    if backend not in BACKENDS:
        raise ModelError(f"The backend must be one of {', '.join(BACKENDS)}, not {backend!r}.")
    if not path.exists():
        raise ModelError(f"There is no model at {path}; give the path of a model file or of its directory.")
    found = {PARTS[file.suffix] for file in files_of(path)}
    if backend != "auto":
        if backend not in found:
            raise ModelError(f"{path} holds no model for the {backend} backend; give another path or backend.")
        return backend
    if not found:
        raise ModelError(
            f"{path} holds neither an exported model (.onnx) nor weights (.safetensors), so the backend cannot be "
            "told; give the path of a model, or name it with --backend onnx or --backend torch."
        )
    return "onnx" if "onnx" in found else "torch"


def files_of(path: Path) -> list[Path]:
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in candidates if file.is_file() and file.suffix in PARTS]


def model_file(path: Path, backend: str = "auto") -> Path:
    """The one file of a model path that a backend runs; raises ModelError where there is none, or more than one."""
    kind = backend_of(path, backend)
    files = [file for file in files_of(path) if PARTS[file.suffix] == kind]
    if len(files) > 1:
        raise ModelError(f"{path} holds {len(files)} models; give the path of one of them.")
    return files[0]


class Encoder:
    """A model, ready to embed tracks. `path` is a model file or its directory; the shipped model by default."""

    def __init__(self, path: Path = SHIPPED, backend: str = "auto") -> None:
        file = model_file(path, backend)
        self.backend: Backend
        if PARTS[file.suffix] == "onnx":
            self.backend = OnnxBackend(file)
        else:
            from resonance_engine.network.backend import TorchBackend

            self.backend = TorchBackend(file)
        self.manifest = self.backend.manifest

    def embed(self, features: Features) -> TrackEmbedding:
        """What the model hears in a track, from the front end's features of its windows, (n, ...) each, n >= 1."""
        count = len(next(iter(features.values())))
        parts = [
            self.backend.run({name: features[name][at : at + BATCH] for name in self.manifest.modalities})
            for at in range(0, count, BATCH)
        ]
        windows, facets, gates = (np.concatenate(part) for part in zip(*parts, strict=True))
        names = self.manifest.modalities
        return TrackEmbedding(
            embedding=normalised(windows.mean(axis=0)),
            facets={name: normalised(facets[:, i].mean(axis=0)) for i, name in enumerate(names)},
            gates={name: float(gates[:, i].mean()) for i, name in enumerate(names)},
            windows=windows,
        )


def normalised(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length one; a zero vector has no direction and stays as it is."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 0 else vector
