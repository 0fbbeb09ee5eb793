"""Listen to files in child processes, so that a file that crashes or hangs a decoder harms nothing but itself."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from resonance_engine.audio.passage import passage_of
from resonance_engine.errors import AudioError, ModelError, ResonanceError, printable
from resonance_engine.worker.pool import ProcessPool
from resonance_engine.worker.process import WorkerDied, WorkerProcess
from resonance_engine.worker.protocol import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from resonance_engine.encoder.encoder import TrackEmbedding

TIMEOUT = 120.0  # seconds for one file; a song takes about half a second
STARTUP_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0
AHEAD = 4  # files per worker that are begun or done before their results are taken
MEMORY = 1_000_000_000  # bytes for one file, beside those of the loaded model; usual files take up to 180 MB
LIFE = 1_000  # questions, two to a new file, after which a child is replaced: what decoders leak must not add up


@dataclass(frozen=True)
class FileAnalysis:
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
    """Which model a worker runs: its id, name, version, width of the embedding, names of the facets and of the tags."""

    id: str
    name: str
    version: str
    dimensions: int
    modalities: tuple[str, ...]
    tags: tuple[str, ...] = ()


class FileProcess:
    """One child process that is asked about one file at a time; started when first needed, replaced when it dies.

    A subclass says what is started and what it is for. Raises `unusable` when the child does not start, AudioError for
    anything that goes wrong with a file, also when a question takes longer than `timeout` seconds, and ResonanceError
    once it is closed. `busy` are the seconds that children took over questions.
    """

    purpose = "listens"
    unusable: type[ResonanceError] = ResonanceError

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.child: WorkerProcess | None = None
        self.closed = False
        self.busy = 0.0
        self.asking = threading.Lock()  # one question at a time
        self.starting = threading.Lock()  # no child starts once `closed`

    def command(self) -> list[str]:
        """How the child is started."""
        raise NotImplementedError

    def introduced(self, header: dict[str, Any]) -> None:
        """Take note of what a new child says of itself."""

    def identify(self, path: Path) -> bytes:
        """The content key of the sound in a file."""
        return bytes.fromhex(self.ask("identify", path).header["key"])

    def ask(self, verb: str, path: Path, spent: float = 0.0, **options: Any) -> Message:
        """The child's answer to a question about a file; `options` are JSON values that the verb takes.

        `spent` seconds of the file's time have gone already; to start a child takes none of it.
        """
        question = Message({"verb": verb, "path": os.fsencode(path).hex(), "options": options})
        with self.asking:
            try:
                answer = self.answer(question, self.timeout - spent)
            except WorkerDied as died:
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
            if answer.header.get("spent"):
                self.end()
        if "reason" in answer.header:
            raise AudioError(path, answer.header["reason"])
        return answer

    def answer(self, question: Message, seconds: float) -> Message:
        """The child's answer within so many seconds; if it dies before it begins, then not because of the question."""
        for first in (True, False):
            child = self.running()
            started, begun = time.monotonic(), False
            try:
                child.send(question)
                child.receive(seconds)
                begun = True
                return child.receive(seconds - (time.monotonic() - started))
            except WorkerDied:
                if begun or not first:
                    raise
                self.end()
            finally:
                seconds -= time.monotonic() - started
                self.busy += time.monotonic() - started
        raise AssertionError("the second child answers or raises")

    def running(self) -> WorkerProcess:
        """The child, started and introduced; a new one where the last has served its time."""
        if self.child is not None and self.child.asked < LIFE:
            return self.child
        self.end()
        with self.starting:
            if self.closed:
                raise stopped()
            try:
                child = self.child = WorkerProcess(self.command(), environment())
            except OSError as error:
                raise self.unusable(f"A process that {self.purpose} does not start: {error.strerror}.") from error
        try:
            header = child.receive(STARTUP_TIMEOUT).header
            if "unusable" in header:
                raise self.unusable(header["unusable"])
            self.introduced(header)
        except (WorkerDied, TimeoutError) as error:
            self.end()
            if self.closed:
                raise stopped() from error
            how = f"starting it {error}" if isinstance(error, WorkerDied) else f"not within {STARTUP_TIMEOUT:g} s"
            raise self.unusable(f"The process that {self.purpose} does not start: {how}.") from error
        except BaseException:
            self.end()
            raise
        return child

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


class Worker(FileProcess):
    """A child process that embeds files with a model.

    Raises ModelError when the model cannot be used, AudioError for anything that goes wrong with a file, also when it
    takes longer than `timeout` seconds or more than `memory` bytes, and ResonanceError once it is closed.
    """

    unusable = ModelError

    def __init__(self, model: Path, timeout: float = TIMEOUT, backend: str = "auto", memory: int = MEMORY) -> None:
        super().__init__(timeout)
        self.model = model
        self.backend = backend
        self.memory = memory
        self.purpose = f"runs {printable(model)}"
        self.described: ModelDescription | None = None

    def listen(
        self, path: Path, wanted: Callable[[bytes], bool], passage: tuple[float, float] | None = None
    ) -> FileAnalysis:
        """Identify the sound in a file and, if its content key is `wanted`, embed it, or only a passage of it.

        A `passage` is from one second of the file to a later one; see `audio.read_passage`. The content key is the
        file's all the same, so what is heard of a passage must not be kept under it. Raises ConfigError for what is no
        passage.
        """
        options = {"passage": passage_of(*passage)} if passage else {}
        before = self.busy
        key = self.identify(path)
        if not wanted(key):
            return FileAnalysis(path, key, self.busy - before)
        from resonance_engine.encoder.encoder import TrackEmbedding

        answer = self.ask("embed", path, self.busy - before, **options)
        names = list(answer.header["gates"])
        return FileAnalysis(
            path=path,
            key=key,
            seconds=self.busy - before,
            embedding=TrackEmbedding(
                embedding=answer.arrays["embedding"],
                facets={name: answer.arrays[f"facet:{name}"] for name in names},
                gates=answer.header["gates"],
                windows=answer.arrays["windows"],
                tags=answer.header["tags"],
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

    def introduced(self, header: dict[str, Any]) -> None:
        names = {name: tuple(header.get(name, ())) for name in ("modalities", "tags")}
        described = ModelDescription(**{**header, **names})
        if self.described not in (None, described):
            raise ModelError(f"The model {printable(self.model)} was changed meanwhile; start again.")
        self.described = described

    def command(self) -> list[str]:
        """How the child is started: this interpreter, with `listener`."""
        module = "resonance_engine.worker.server"
        return [sys.executable, "-P", "-m", module, os.fspath(self.model), self.backend, str(self.memory)]


class WorkerPool(ProcessPool[Worker]):
    """`count` workers with one model side by side."""

    def __init__(self, model: Path, count: int = 1, timeout: float = TIMEOUT, backend: str = "auto") -> None:
        super().__init__([Worker(model, timeout, backend) for _ in range(count)])

    def listen(
        self, paths: Iterable[Path], wanted: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        """Every path with what came of it, as soon as it is there; `wanted` is called in the pool's threads.

        None comes in between where there is nothing new for a second. Ending the iteration early gives up what was not
        begun; what was begun ends by itself or with `close`.
        """
        self.description()
        yield from self.each(paths, lambda worker, path: worker.listen(path, wanted), AHEAD)

    def description(self) -> ModelDescription:
        """The model that the workers run, all of them the same."""
        described = self.workers[0].description()
        for worker in self.workers:
            worker.described = described
        return described


def environment() -> dict[str, str]:
    """This program's environment, in which a child finds this package and computes on one core."""
    search_path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, "PYTHONPATH": search_path, **one_core}


def stopped() -> ResonanceError:
    return ResonanceError("Listening was stopped before it was done.")
