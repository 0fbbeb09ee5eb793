"""Chains of requests to one worker: files in parts, then what is to be done with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resonance_engine.cluster.remote import digest_file
from resonance_engine.encoder.model_files import BASE_FILE, find_model_file
from resonance_engine.errors import AudioError, ModelError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Future

    Requests = Iterator[tuple[dict[str, Any], bytes]]

PART = 4 << 20  # bytes of a file that are on their way at once; Dask warns of more than 10 MB in a task


@dataclass(eq=False)
class RemoteWorker:
    """A worker of the cluster; `is_ready` once its code was compared and it has the model.

    `process` tells it from one that takes its address, `running` are the chains of which it has a request.
    """

    address: str
    threads: int
    is_ready: bool = False
    process: str = ""

    def __post_init__(self) -> None:
        self.running: set[Chain] = set()


@dataclass(eq=False)
class Chain:
    """Requests that one worker gets one after the other; the answer to the last counts."""

    worker: RemoteWorker
    requests: Requests
    future: Future | None = None


@dataclass(eq=False)
class FileTask:
    """A file on its way: its key once that is known, the seconds it took so far, and the workers that died with it."""

    path: Path
    key: bytes = b""
    seconds: float = 0.0
    losses: int = 0


@dataclass(eq=False)
class FileChain(Chain):
    """Requests about a file; `verb` is the last one's."""

    task: FileTask = field(kw_only=True)
    verb: str = field(kw_only=True)


def send_file(name: str, path: Path) -> Requests:
    """Yield the requests that bring a file to a worker, under a name; raises AudioError where it cannot be read."""
    position = 0
    try:
        with path.open("rb") as file:
            while (content := file.read(PART)) or not position:
                yield {"verb": "put", "name": name, "position": position}, content
                position += len(content) or 1
    except OSError as error:
        raise AudioError(path, f"it cannot be read ({error.strerror})") from error


def send_model(model: Path, timeout: float, backend: str) -> Requests:
    """Yield the requests that bring a model to a worker, with the file beside it that it may need, and prepare it.

    Raises ModelError where there is no model, or none that can be read.
    """
    file = find_model_file(model, backend)
    files = [path for path in (file, file.with_name(BASE_FILE)) if path.is_file()]
    try:
        for path in files:
            yield from send_file(path.name, path)
        digests = {path.name: digest_file(path) for path in files}
    except (AudioError, OSError) as error:
        raise ModelError(f"The model {printable(file)} cannot be read.") from error
    options = {"name": file.name, "timeout": timeout, "backend": backend}
    yield {"verb": "prepare", "model": options, "digests": digests}, b""
