"""Paths of models: which file a path stands for, and which backend runs it."""

from __future__ import annotations

from pathlib import Path

from resonance_engine.errors import ModelError, printable
from resonance_engine.suggestions import suggest

SHIPPED = Path(__file__).parents[1] / "models" / "default" / "model.onnx"
SHIPPED_NAMES = ("default", "default-int8")  # the models that come with the program, by their folders
BACKENDS = ("auto", "onnx", "torch")
SUFFIXES = {".onnx": "onnx", ".safetensors": "torch", ".pt": "torch"}
CHECKPOINT = "ckpt.pt"  # of a training run: safetensors under the name that it always had
BASE_FILE = "base.onnx"  # beside a network that is a part of a model: the model of the other parts
RUN_STATE = "state.safetensors"  # of a run that can be resumed: no model


def locate_model(path: Path, backend: str = "auto") -> tuple[str, Path]:
    """Return the backend that a model path needs, `onnx` or `torch`, and the file that it runs.

    A directory holds one model under a known suffix (.onnx, .safetensors, .pt); where it has one of each, `auto` takes
    the exported one, and `torch` the weights. Of an exported model alone, `torch` reads the weights in it. In a
    training run's folder, `ckpt.pt` holds the weights. A file of another suffix is taken for what `backend` says. The
    name of a shipped model stands for its directory where there is nothing at that path.
    Raises ModelError where that is not clear.
    """
    if str(path) in SHIPPED_NAMES and not path.exists():
        path = SHIPPED.parents[1] / path
    if backend not in BACKENDS:
        raise ModelError(f"The backend must be one of {', '.join(BACKENDS)}, not {backend!r}.")
    shown = printable(path)
    files = list_model_files(path)
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
    by_kind = {kind: [file for file in files if backend_of(file) == kind] for kind in ("onnx", "torch")}
    kind = ("onnx" if by_kind["onnx"] else "torch") if backend == "auto" else backend
    chosen = by_kind[kind] or (by_kind["onnx"] if kind == "torch" else [])
    if not chosen:
        raise ModelError(f"{shown} holds no model for the onnx backend; give another path, or --backend torch.")
    if len(chosen) > 1:
        names = ", ".join(file.name for file in chosen)
        raise ModelError(f"{shown} holds {len(chosen)} models ({names}); give the path of one of them.")
    return kind, chosen[0]


def find_model_file(path: Path, backend: str = "auto") -> Path:
    """Return the file that a model path stands for; raises ModelError where that is not clear."""
    return locate_model(path, backend)[1]


def list_model_files(path: Path) -> list[Path]:
    """List the model files at a path, known by their suffixes."""
    try:
        if not path.exists():
            hint = suggest(str(path), SHIPPED_NAMES, "give the path of a model file or of its directory.")
            raise ModelError(f"There is no model at {printable(path)}; {hint}")
        entries = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError as error:
        raise ModelError(f"The model {printable(path)} cannot be read: {error.strerror}.") from error
    files = [file for file in entries if file.is_file() and backend_of(file) and not file.name.startswith(".")]
    if path.is_dir() and any(file.name == CHECKPOINT for file in files):
        return [file for file in files if file.name == CHECKPOINT or backend_of(file) == "onnx"]
    return [file for file in files if file == path or file.name not in (RUN_STATE, BASE_FILE)]


def backend_of(file: Path) -> str | None:
    return SUFFIXES.get(file.suffix.lower())
