"""Features of a track's windows -> its embedding, through a model file.

Two backends give the same numbers: `onnx` runs an exported model with onnxruntime, `torch` the weights of a training.
Only the second loads PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from resonance_engine.encoder.manifest import read_manifest
from resonance_engine.encoder.onnx_check import LARGEST, self_contained
from resonance_engine.errors import ModelError, printable
from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.store.records import Embedding, Windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resonance_engine.encoder.manifest import Manifest

    Features = Mapping[str, NDArray[np.float32]]
    Outputs = tuple[NDArray[np.float32], ...]

SHIPPED = Path(__file__).parents[1] / "models" / "default" / "model.onnx"
BACKENDS = ("auto", "onnx", "torch")
BATCH = 8  # windows at a time: larger batches do not make onnxruntime faster, only larger
SUFFIXES = {".onnx": "onnx", ".safetensors": "torch", ".pt": "torch"}
CHECKPOINT = "ckpt.pt"  # of a training run: safetensors under the name that it always had
RUN_STATE = "state.safetensors"  # of a run that can be taken up again: no model
TOLERANCE = 1e-3  # of unit vectors' lengths, and of probabilities


class Backend(Protocol):
    """Runs a network on the features of some windows: embeddings, facets and gates of each, tags where it has them."""

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
        options.enable_cpu_mem_arena = False  # it saves no time here, and would keep 50 MB between two tracks
        content = onnx_content(path)
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many kinds, all meaning that the file is not a usable model
            raise unusable(path) from error
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.manifest = read_manifest(metadata, printable(path), FRONT_END_VERSION)
        inputs, outputs = (
            {node.name: list(node.shape) for node in nodes}
            for nodes in (self.session.get_inputs(), self.session.get_outputs())
        )
        expected_inputs, expected_outputs = signature(self.manifest)
        outputs = {name: shape for name, shape in outputs.items() if name in expected_outputs}
        self.names = list(expected_outputs)
        wrong = mismatch(inputs, expected_inputs) or mismatch(outputs, expected_outputs)
        if wrong:
            raise ModelError(f"{printable(path)} is not what its manifest says: {wrong}. Export it again.")
        batch = next(iter(inputs.values()))[0]
        self.batch = batch if isinstance(batch, int) else None

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
        return tuple(np.concatenate(part)[:count] for part in zip(*parts, strict=True))

    def infer(self, features: Features) -> Outputs:
        return tuple(self.session.run(self.names, dict(features)))


def onnx_content(path: Path) -> bytes:
    """The bytes of an ONNX file, which a model from elsewhere must have all its numbers in; else ModelError."""
    try:
        if path.stat().st_size > LARGEST:
            raise unusable(path)
        content = path.read_bytes()
        if self_contained(content):
            return content
    except OSError as error:
        raise ModelError(f"The model {printable(path)} cannot be read: {error.strerror}.") from error
    except (ValueError, MemoryError) as error:
        raise unusable(path) from error
    raise ModelError(
        f"{printable(path)} wants to read numbers from another file, which a model may not; export it into one file "
        "or remove the model option to use the shipped one"
    )


def unusable(path: Path) -> ModelError:
    return ModelError(
        f"{printable(path)} is not a model that onnxruntime can run, or only a part of one; copy or export it again, "
        "or use the shipped model"
    )


def signature(manifest: Manifest) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Names and shapes of a model's inputs and outputs, the windows' axis left out."""
    specs = manifest.spec.modalities
    count, width = len(specs), manifest.dimensions
    inputs = {name: spec.shape(manifest.spec.decoding) for name, spec in specs.items()}
    outputs: dict[str, tuple[int, ...]] = {"embedding": (width,), "facets": (count, width), "gates": (count,)}
    return inputs, outputs | ({"tags": (len(manifest.tags),)} if manifest.tags else {})


def mismatch(found: Mapping[str, list[int | str]], expected: Mapping[str, tuple[int, ...]]) -> str:
    """The first difference between a model's arrays and the expected ones, as a clause; empty when there is none."""
    if set(found) != set(expected):
        return f"it should have {', '.join(expected)} and has {', '.join(sorted(found))}"
    for name, shape in expected.items():
        # An exporter may leave a length open.
        pairs = zip(found[name][1:], shape, strict=False)
        if len(found[name]) != len(shape) + 1 or any(isinstance(a, int) and a != b for a, b in pairs):
            return f"{name} should have the shape (windows, {', '.join(map(str, shape))}) and has {found[name]}"
    return ""


def located(path: Path, backend: str = "auto") -> tuple[str, Path]:
    """Which backend a model path needs, `onnx` or `torch`, and the file that it shall run.

    A directory holds one model under a known suffix (.onnx, .safetensors, .pt); where it has one of each, `auto` takes
    the exported one. In a training run's folder, `ckpt.pt` holds the weights. A file of another suffix is taken for
    what `backend` says. Raises ModelError where that is not clear.
    """
    if backend not in BACKENDS:
        raise ModelError(f"The backend must be one of {', '.join(BACKENDS)}, not {backend!r}.")
    shown = printable(path)
    files = candidates(path)
    if not files and path.is_file():
        if backend == "auto":
            raise ModelError(
                f"{shown} ends neither in .onnx nor in .safetensors or .pt, so its backend cannot be told; "
                "name it with --backend onnx or --backend torch."
            )
        return backend, path
    if not files:
        raise ModelError(
            f"{shown} holds neither an exported model (.onnx) nor weights (.safetensors, .pt); "
            "give the path of a model."
        )
    kinds = {SUFFIXES[file.suffix.lower()] for file in files}
    kind = ("onnx" if "onnx" in kinds else "torch") if backend == "auto" else backend
    chosen = [file for file in files if kind_of(file) == kind]
    if not chosen:
        other = ", ".join(sorted(kinds))
        raise ModelError(f"{shown} holds no model for the {backend} backend; give another path, or --backend {other}.")
    if len(chosen) > 1:
        names = ", ".join(file.name for file in chosen)
        raise ModelError(f"{shown} holds {len(chosen)} models ({names}); give the path of one of them.")
    return kind, chosen[0]


def model_file(path: Path, backend: str = "auto") -> Path:
    """The file that a model path stands for; raises ModelError where that is not clear."""
    return located(path, backend)[1]


def candidates(path: Path) -> list[Path]:
    """The model files at a path, known by their suffixes."""
    try:
        if not path.exists():
            raise ModelError(
                f"There is no model at {printable(path)}; give the path of a model file or of its directory."
            )
        entries = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError as error:
        raise ModelError(f"The model {printable(path)} cannot be read: {error.strerror}.") from error
    files = [file for file in entries if file.is_file() and kind_of(file) and not file.name.startswith(".")]
    if path.is_dir() and any(file.name == CHECKPOINT for file in files):
        return [file for file in files if file.name == CHECKPOINT or kind_of(file) == "onnx"]
    return [file for file in files if file == path or file.name != RUN_STATE]


def kind_of(file: Path) -> str | None:
    return SUFFIXES.get(file.suffix.lower())


class Encoder:
    """A model, ready to embed tracks. `path` is a model file or its directory; the shipped model by default."""

    def __init__(self, path: Path = SHIPPED, backend: str = "auto") -> None:
        kind, file = located(path, backend)
        self.backend: Backend
        if kind == "onnx":
            self.backend = OnnxBackend(file)
        else:
            try:
                from resonance_engine.network.backend import TorchBackend
            except ImportError as error:
                raise ModelError(
                    f"Running {printable(file)} needs PyTorch ({error}); install beets-resonance[train], "
                    "or export the model and use the .onnx file."
                ) from error
            self.backend = TorchBackend(file)
        self.manifest = self.backend.manifest

    def embed(self, features: Features, starts: tuple[float, ...] = ()) -> Embedding:
        """Return the embedding of a track from the front end's features of its windows, (n, ...) each, n >= 1.

        Vector and facets are the normalised means over the windows, gates and tags the means; `starts` are the windows'
        in seconds. Raises ModelError when the model gives anything but unit vectors, or tags that are no probabilities.
        """
        count = len(next(iter(features.values())))
        batches = [
            self.backend.run({name: features[name][at : at + BATCH] for name in self.manifest.modalities})
            for at in range(0, count, BATCH)
        ]
        windows, facets, gates, *tags = (np.concatenate(outputs) for outputs in zip(*batches, strict=True))
        names = self.manifest.modalities
        embedding = Embedding(
            vector=normalised(windows.mean(axis=0)),
            facets={name: normalised(facets[:, i].mean(axis=0)) for i, name in enumerate(names)},
            gates={name: float(gates[:, i].mean()) for i, name in enumerate(names)},
            windows=Windows(starts, windows),
            tags=self.probabilities(tags[0].mean(axis=0)) if tags else {},
        )
        lengths = np.linalg.norm([embedding.vector, *embedding.facets.values(), *windows], axis=1)
        if not (np.abs(lengths - 1) < TOLERANCE).all() or not np.isfinite(gates).all():
            raise ModelError(f"The model {self.manifest.name} gives no unit vectors; export or install it again.")
        return embedding

    def probabilities(self, tags: NDArray[np.float32]) -> dict[str, float]:
        """Tags (n,) by name; the roundings of a quantised model that lead out of 0 to 1 are taken back."""
        if not (np.abs(tags - 0.5) < 0.5 + TOLERANCE).all():
            raise ModelError(
                f"The tags that the model {self.manifest.name} gives are no probabilities; export or install it again."
            )
        return dict(zip(self.manifest.tags, np.clip(tags, 0, 1).tolist(), strict=True))


def normalised(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length one; a zero vector has no direction and stays as it is."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 0 else vector
