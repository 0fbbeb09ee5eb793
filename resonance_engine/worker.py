"""Listen to files in child processes, so that a file that crashes or hangs a decoder harms nothing but itself."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, Self

from resonance_engine.child import Child, ChildDied
from resonance_engine.errors import AudioError, ModelError, ResonanceError, printable
from resonance_engine.wire import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from resonance_engine.encoder import TrackEmbedding

TIMEOUT = 120.0  # seconds for one file; a song takes about half a second
STARTUP_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0
AHEAD = 32  # files per worker that may be heard while the result of an earlier one is still awaited


@dataclass(frozen=True)
class Listened:
    """What came of listening to one file.

    `key` is its content key. `embedding`, the windows' `starts` in seconds and the track's `attributes`, with the
    version of the `extractor` that measured them, are there unless the caller knew the sound already. `seconds` is the
    time that it took.
    """

    path: Path
    key: bytes
    seconds: float
    embedding: TrackEmbedding | None = None
    starts: tuple[float, ...] = ()
    attributes: dict[str, Any] | None = None
    extractor: str = ""


@dataclass(frozen=True)
class ModelDescription:
    """Which model a worker runs: its id, name, version, width of the embedding and names of the facets."""

    id: str
    name: str
    version: str
    dimensions: int
    modalities: tuple[str, ...]


class Worker:
    """One child process that listens to one file at a time; it is started when first needed and replaced when it dies.

    Raises ModelError when the model cannot be used, AudioError for anything that goes wrong with a file, also when one
    of its steps (identifying, embedding) takes longer than `timeout` seconds, and ResonanceError once it is closed.
    """

    def __init__(self, model: Path, timeout: float = TIMEOUT, backend: str = "auto") -> None:
        self.model = model
        self.backend = backend
        self.timeout = timeout
        self.described: ModelDescription | None = None
        self.child: Child | None = None
        self.closed = False
        self.asking = threading.Lock()  # one question at a time
        self.starting = threading.Lock()  # no child starts once `closed`

    def listen(self, path: Path, wanted: Callable[[bytes], bool]) -> Listened:
        """Identify the sound in a file and, if its content key is `wanted`, embed it."""
        self.description()  # the time that a start takes is not the file's
        started = time.monotonic()
        key = bytes.fromhex(self.ask("identify", path).header["key"])
        if not wanted(key):
            return Listened(path, key, time.monotonic() - started)
        from resonance_engine.encoder import TrackEmbedding

        answer = self.ask("embed", path)
        names = list(answer.header["gates"])
        return Listened(
            path=path,
            key=key,
            seconds=time.monotonic() - started,
            embedding=TrackEmbedding(
                embedding=answer.arrays["embedding"],
                facets={name: answer.arrays[f"facet:{name}"] for name in names},
                gates=answer.header["gates"],
                windows=answer.arrays["windows"],
            ),
            starts=tuple(answer.header["starts"]),
            attributes=answer.header["attributes"],
            extractor=answer.header["extractor"],
        )

    def description(self) -> ModelDescription:
        """The model that this worker runs; starts the child if need be."""
        if self.described is None:
            with self.asking:
                self.running()
        assert self.described is not None
        return self.described

    def ask(self, verb: str, path: Path) -> Message:
        """The child's answer to a question about a file."""
        question = Message({"verb": verb, "path": os.fsencode(path).hex()})
        with self.asking:
            try:
                try:
                    child = self.begun(question)
                except ChildDied:
                    self.end()
                    child = self.begun(question)
                answer = child.receive(self.timeout)
            except ChildDied as died:
                self.end()
                if self.closed:
                    raise stopped() from died
                raise AudioError(path, f"decoding it {died}") from died
            except TimeoutError as error:
                self.end()
                raise AudioError(path, f"it took longer than {self.timeout:g} s and was given up") from error
            except BaseException:
                self.end()
                raise
        if "reason" in answer.header:
            raise AudioError(path, answer.header["reason"])
        return answer

    def begun(self, question: Message) -> Child:
        """The child, once it has begun with a question; if it dies before, then not because of the question."""
        child = self.running()
        child.send(question)
        child.receive(self.timeout)
        return child

    def running(self) -> Child:
        """The child, started with its model loaded."""
        if self.child is not None:
            return self.child
        with self.starting:
            if self.closed:
                raise stopped()
            try:
                child = self.child = Child(self.command(), environment())
            except OSError as error:
                raise ModelError(f"A process for {printable(self.model)} does not start: {error.strerror}.") from error
        try:
            header = child.receive(STARTUP_TIMEOUT).header
            if "model_error" in header:
                raise ModelError(header["model_error"])
            described = ModelDescription(**{**header, "modalities": tuple(header["modalities"])})
            if self.described not in (None, described):
                raise ModelError(f"The model {printable(self.model)} was changed meanwhile; start again.")
        except (ChildDied, TimeoutError) as error:
            self.end()
            if self.closed:
                raise stopped() from error
            how = f"starting it {error}" if isinstance(error, ChildDied) else f"not within {STARTUP_TIMEOUT:g} s"
            raise ModelError(f"The process that runs {printable(self.model)} does not start: {how}.") from error
        except BaseException:
            self.end()
            raise
        self.described = described
        return child

    def command(self) -> list[str]:
        """How the child is started: this interpreter, with `listener`."""
        return [sys.executable, "-P", "-m", "resonance_engine.listener", os.fspath(self.model), self.backend]

    def end(self) -> None:
        """End the child, if there is one; the next question starts another."""
        if self.child is not None:
            self.child.end()
            self.child = None

    def close(self) -> None:
        """End the child for good, also while another thread waits for its answer."""
        with self.starting:
            self.closed = True
            child = self.child
        if child is not None:
            child.kill()
        if self.asking.acquire(timeout=CLOSE_TIMEOUT):
            try:
                self.end()
            finally:
                self.asking.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WorkerPool:
    """`count` workers side by side."""

    def __init__(self, model: Path, count: int = 1, timeout: float = TIMEOUT, backend: str = "auto") -> None:
        self.workers = [Worker(model, timeout, backend) for _ in range(count)]
        self.idle: LifoQueue[Worker] = LifoQueue()  # the last one used is the one surely started
        for worker in reversed(self.workers):
            self.idle.put(worker)

    def listen(
        self, paths: Iterable[Path], wanted: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, Listened | AudioError]]:
        """Every path with what came of it, in the order of `paths`; `wanted` is called in the pool's threads.

        Ending the iteration early gives up what was not begun; what was begun ends by itself or with `close`.
        """
        self.description()

        def one(path: Path) -> Listened | AudioError:
            worker = self.idle.get()
            try:
                return worker.listen(path, wanted)
            except AudioError as error:
                return error
            finally:
                self.idle.put(worker)

        executor = ThreadPoolExecutor(len(self.workers))
        pending: deque[tuple[Path, Future[Listened | AudioError]]] = deque()
        try:
            for path in paths:
                pending.append((path, executor.submit(one, path)))
                if len(pending) >= AHEAD * len(self.workers):
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def description(self) -> ModelDescription:
        """The model that the workers run, all of them the same."""
        described = self.workers[0].description()
        for worker in self.workers:
            worker.described = described
        return described

    def close(self) -> None:
        """End all children, whatever they are doing."""
        for worker in self.workers:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def environment() -> dict[str, str]:
    """This program's environment, in which a child finds this package and computes on one core."""
    search_path = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, "PYTHONPATH": search_path, **one_core}


def stopped() -> ResonanceError:
    return ResonanceError("Listening was stopped before it was done.")
