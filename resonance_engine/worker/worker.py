"""Analyse files in child processes, so that a file that crashes or hangs a decoder harms nothing but itself."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonance_engine.audio.passage import make_passage
from resonance_engine.errors import AudioError, ModelError, ResonanceError, printable
from resonance_engine.worker.pool import ProcessPool
from resonance_engine.worker.process import WorkerDied, WorkerProcess
from resonance_engine.worker.protocol import Message, read_analysis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from resonance_engine.store import Analysis, Embedding

    IsKnown = Callable[[bytes], bool]

TIMEOUT = 120.0  # seconds for one file; a song takes about half a second
STARTUP_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0
AHEAD = 4  # files per worker that are begun or done before their results are taken
MEMORY = 1_000_000_000  # bytes for one file, beside those of the loaded model; usual files take up to 180 MB
LIFE = 1_000  # requests, two for a new file, after which a child is replaced: leaks of decoders must not add up


@dataclass(frozen=True)
class FileAnalysis:
    """The content key of a file, its embedding and attributes unless the key was known, and the seconds it took."""

    path: Path
    key: bytes
    seconds: float
    embedding: Embedding | None = None
    analysis: Analysis | None = None


@dataclass(frozen=True)
class ModelDescription:
    """The model of a worker: id, name, version, width of the embedding, names of the facets and of the tags."""

    id: str
    name: str
    version: str
    dimensions: int
    modalities: tuple[str, ...]
    tags: tuple[str, ...] = ()


class FileProcess:
    """A child process that handles one request about one file at a time; started when needed, replaced when it dies.

    A subclass gives the `command`. Raises `start_error` when the child does not start, AudioError for anything that
    goes wrong with a file, also when a request takes longer than `timeout` seconds, and ResonanceError once it is
    closed. `busy` are the seconds that children spent on requests.
    """

    purpose = "listens"
    start_error: type[ResonanceError] = ResonanceError

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.child: WorkerProcess | None = None
        self.closed = False
        self.busy = 0.0
        self.request_lock = threading.Lock()  # one request at a time
        self.start_lock = threading.Lock()  # no child starts once `closed`

    def command(self) -> list[str]:
        """Return the command line of the child."""
        raise NotImplementedError

    def accept_description(self, header: dict[str, Any]) -> None:
        """Note the header of the message with which a new child begins."""

    def identify(self, path: Path) -> bytes:
        """Return the content key of a file."""
        return bytes.fromhex(self.request("identify", path).header["key"])

    def request(self, verb: str, path: Path, spent: float = 0.0, **options: Any) -> Message:
        """Return the child's answer about a file; `options` are JSON values that the verb takes.

        `spent` seconds of the file's time are used already; the start of a child takes none of it.
        """
        message = Message({"verb": verb, "path": os.fsencode(path).hex(), "options": options})
        with self.request_lock:
            try:
                answer = self.exchange(message, self.timeout - spent)
            except WorkerDied as died:
                self.end_child()
                if self.closed:
                    raise stopped_error() from died
                raise AudioError(path, f"decoding it {died}") from died
            except TimeoutError as error:
                self.end_child()
                raise AudioError(path, f"it took longer than {self.timeout:g} s and was given up") from error
            except BaseException:
                self.end_child()
                raise
            if answer.header.get("spent"):
                self.end_child()
        if "reason" in answer.header:
            raise AudioError(path, answer.header["reason"])
        return answer

    def exchange(self, message: Message, seconds: float) -> Message:
        """Return the answer within `seconds`; a child that dies before it begins did not die of the request."""
        for first in (True, False):
            child = self.start_child()
            started, begun = time.monotonic(), False
            try:
                child.send(message)
                child.receive(seconds)
                begun = True
                return child.receive(seconds - (time.monotonic() - started))
            except WorkerDied:
                if begun or not first:
                    raise
                self.end_child()
            finally:
                seconds -= time.monotonic() - started
                self.busy += time.monotonic() - started
        raise AssertionError("the second child answers or raises")

    def start_child(self) -> WorkerProcess:
        """Return the running child, a new one where there is none or the last has served its time."""
        if self.child is not None and self.child.sent < LIFE:
            return self.child
        self.end_child()
        with self.start_lock:
            if self.closed:
                raise stopped_error()
            try:
                child = self.child = WorkerProcess(self.command(), environment())
            except OSError as error:
                raise self.start_error(f"A process that {self.purpose} does not start: {error.strerror}.") from error
        try:
            header = child.receive(STARTUP_TIMEOUT).header
            if "unusable" in header:
                raise self.start_error(header["unusable"])
            self.accept_description(header)
        except (WorkerDied, TimeoutError) as error:
            self.end_child()
            if self.closed:
                raise stopped_error() from error
            how = f"starting it {error}" if isinstance(error, WorkerDied) else f"not within {STARTUP_TIMEOUT:g} s"
            raise self.start_error(f"The process that {self.purpose} does not start: {how}.") from error
        except BaseException:
            self.end_child()
            raise
        return child

    def end_child(self) -> None:
        """End the child, if there is one; the next request starts another."""
        if self.child is not None:
            self.child.end()
            self.child = None

    def close(self) -> None:
        """End the child for good, also while another thread waits for its answer."""
        with self.start_lock:
            self.closed = True
            child = self.child
        if child is not None:
            child.kill()
        if self.request_lock.acquire(timeout=CLOSE_TIMEOUT):
            try:
                self.end_child()
            finally:
                self.request_lock.release()


class Worker(FileProcess):
    """A child process that embeds files with a model.

    Raises ModelError when the model cannot be used, AudioError for anything that goes wrong with a file, also when it
    takes longer than `timeout` seconds or more than `memory` bytes, and ResonanceError once it is closed.
    """

    start_error = ModelError

    def __init__(self, model: Path, timeout: float = TIMEOUT, backend: str = "auto", memory: int = MEMORY) -> None:
        super().__init__(timeout)
        self.model = model
        self.backend = backend
        self.memory = memory
        self.purpose = f"runs {printable(model)}"
        self.described: ModelDescription | None = None

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
        module = "resonance_engine.worker.server"
        return [sys.executable, "-P", "-m", module, os.fspath(self.model), self.backend, str(self.memory)]


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

    def description(self) -> ModelDescription:
        """Return the description of the model, the same for all workers."""
        described = self.workers[0].description()
        for worker in self.workers:
            worker.described = described
        return described


def environment() -> dict[str, str]:
    """Return this program's environment, in which a child finds this package and computes on one core."""
    search_path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, "PYTHONPATH": search_path, **one_core}


def stopped_error() -> ResonanceError:
    return ResonanceError("Listening was stopped before it was done.")
