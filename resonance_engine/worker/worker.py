"""Analyse files in child processes, several side by side: a file that crashes a decoder harms nothing but itself."""

from __future__ import annotations

import os
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from resonance_engine.audio.passage import make_passage
from resonance_engine.errors import AudioError, ModelError, WorkerStartError, printable
from resonance_engine.store.records import DenseWindows
from resonance_engine.worker.process import TIMEOUT, FileProcess
from resonance_engine.worker.protocol import WINDOWS, read_analysis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from resonance_engine.store import Analysis, Embedding

    IsKnown = Callable[[bytes], bool]

WAKE_SECONDS = 1.0
AHEAD = 4  # files per worker that are begun or done before their results are taken
SERVER = (sys.executable, "-P", "-m", "resonance_engine.worker.server")
MEMORY = 1_000_000_000  # bytes for one file, beside those of the loaded model; usual files take up to 180 MB


class Closable(Protocol):
    def kill(self) -> None: ...

    def close(self) -> None: ...


W = TypeVar("W", bound=Closable)
R = TypeVar("R")


@dataclass(frozen=True)
class FileAnalysis:
    """The content key of a file, its embedding and attributes unless the key was known, and the seconds it took."""

    path: Path
    key: bytes
    seconds: float
    embedding: Embedding | None = None
    analysis: Analysis | None = None


@dataclass(frozen=True)
class FilePassages:
    """The content key of a file, its dense windows unless the key was known, and the seconds it took."""

    path: Path
    key: bytes
    seconds: float
    windows: DenseWindows | None = None


@dataclass(frozen=True)
class ModelDescription:
    """The model of a worker: id, name, version, width of the embedding, names of facets and tags, and its feature spec.

    The spec is JSON, "" where it is the default one.
    """

    id: str
    name: str
    version: str
    dimensions: int
    modalities: tuple[str, ...]
    tags: tuple[str, ...] = ()
    spec: str = ""


class Identifier(FileProcess):
    """A child process that reads content keys and needs no model; raises what a `Worker` raises, but for ModelError."""

    def command(self) -> list[str]:
        return [*SERVER, str(MEMORY)]


class Worker(FileProcess):
    """A child process that embeds files with a model.

    Raises ModelError when the model cannot be used, AudioError for anything that goes wrong with a file, also when it
    takes longer than `timeout` seconds or more than `memory` bytes, and ResonanceError once it is closed.
    """

    start_error = WorkerStartError
    unusable_error = ModelError

    def __init__(self, model: Path, timeout: float = TIMEOUT, backend: str = "auto", memory: int = MEMORY) -> None:
        super().__init__(timeout)
        self.model = model
        self.backend = backend
        self.memory = memory
        self.described: ModelDescription | None = None

    @property
    def purpose(self) -> str:
        return f"runs {printable(self.model)}"

    def analyse(
        self, path: Path, is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> FileAnalysis:
        """Return the content key of a file and, unless `is_known` accepts that key, the embedding and attributes.

        `passage` embeds only the audio between two times in seconds, see `audio.windows.read_passage`; the key is the
        whole file's all the same, so the result must not be stored under it. Raises ConfigError for an invalid passage.
        """
        options = {"passage": make_passage(*passage)} if passage else {}
        before = self.busy
        key = self.identify(path)
        if is_known is not None and is_known(key):
            return FileAnalysis(path, key, self.busy - before)
        answer = self.request("embed", path, self.busy - before, **options)
        return FileAnalysis(path, key, self.busy - before, *read_analysis(answer))

    def embed_dense(self, path: Path, is_known: IsKnown | None = None) -> FilePassages:
        """Return the content key of a file and, unless `is_known` accepts that key, the dense windows of all of it."""
        before = self.busy
        key = self.identify(path)
        if is_known is not None and is_known(key):
            return FilePassages(path, key, self.busy - before)
        answer = self.request("dense", path, self.busy - before)
        windows = DenseWindows(answer.header["hop"], answer.header["length"], answer.arrays[WINDOWS])
        return FilePassages(path, key, self.busy - before, windows)

    def try_model(self) -> float:
        """Return the seconds that a test track takes; raises ModelError where the model cannot be used for it."""
        try:
            header = self.request("trial", self.model).header
        except AudioError as error:
            raise ModelError(f"{printable(self.model)} cannot be used; on a test track, {error.reason}.") from error
        if "unusable" in header:
            raise ModelError(header["unusable"])
        return float(header["seconds"])

    def description(self) -> ModelDescription:
        """Return the description of the model; starts the child if need be."""
        if self.described is None:
            with self.request_lock:
                self.start_child()
        assert self.described is not None
        return self.described

    def accept_description(self, header: dict[str, Any]) -> None:
        names = {name: tuple(header.get(name, ())) for name in ("modalities", "tags")}
        described = ModelDescription(**{**header, **names})
        if self.described not in (None, described):
            raise ModelError(f"The model {printable(self.model)} was changed meanwhile; start again.")
        self.described = described

    def command(self) -> list[str]:
        """Return the command line of the child: this interpreter, with `server`."""
        return [*SERVER, os.fspath(self.model), self.backend, str(self.memory)]


class ProcessPool(Generic[W]):
    """Workers that each process one file at a time; `close` it, for example by `contextlib.closing`."""

    def __init__(self, workers: Sequence[W]) -> None:
        self.workers = workers
        self.idle: LifoQueue[W] = LifoQueue()  # the last one used is the one surely started
        for worker in reversed(workers):
            self.idle.put(worker)

    def map(
        self, paths: Iterable[Path], process: Callable[[W, Path], R], ahead: int, in_order: bool = False
    ) -> Iterator[tuple[Path, R | AudioError] | None]:
        """Yield every path with its result as soon as it is done; `process` is called in the pool's threads.

        Yields None where nothing is done for `WAKE_SECONDS`, so that the caller can do its own work in between. Up to
        `ahead` files per worker are begun, or done and not yet taken. With `in_order` the results come in the order of
        `paths`, and a slow one holds others back. Ending the iteration early drops the files that are not begun; the
        others end by themselves or with `close`.
        """

        def run(path: Path) -> R | AudioError:
            worker = self.idle.get()
            try:
                return process(worker, path)
            except AudioError as error:
                return error
            finally:
                self.idle.put(worker)

        executor = ThreadPoolExecutor(len(self.workers))
        pending: dict[Future[R | AudioError], Path] = {}
        left = iter(paths)
        try:
            while True:
                room = ahead * len(self.workers) - len(pending)
                pending |= {executor.submit(run, path): path for path in islice(left, room)}
                if not pending:
                    return
                awaited = list(pending)[: 1 if in_order else None]
                done, _ = wait(awaited, WAKE_SECONDS, FIRST_COMPLETED)
                for future in done:
                    yield pending.pop(future), future.result()
                if not done:
                    yield None
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self.workers:
            worker.kill()  # all at once: each takes its time to end
        for worker in self.workers:
            worker.close()


class WorkerPool(ProcessPool[Worker]):
    """`count` workers with one model side by side."""

    def __init__(self, model: Path, count: int = 1, timeout: float = TIMEOUT, backend: str = "auto") -> None:
        super().__init__([Worker(model, timeout, backend) for _ in range(count)])

    def analyse(
        self, paths: Iterable[Path], is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        """Yield every path with its result as soon as it is done, as `Worker.analyse`, and None as `ProcessPool.map`.

        `is_known` is called in the pool's threads.
        """
        self.description()
        yield from self.map(paths, lambda worker, path: worker.analyse(path, is_known, passage), AHEAD)

    def embed_dense(
        self, paths: Iterable[Path], is_known: IsKnown | None = None
    ) -> Iterator[tuple[Path, FilePassages | AudioError] | None]:
        """Yield every path with its dense windows as soon as they are done, as `analyse` does."""
        self.description()
        yield from self.map(paths, lambda worker, path: worker.embed_dense(path, is_known), AHEAD)

    def description(self) -> ModelDescription:
        """Return the description of the model, the same for all workers."""
        described = self.workers[0].description()
        for worker in self.workers:
            worker.described = described
        return described
