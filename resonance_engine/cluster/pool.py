"""A pool of the workers of a cluster, in the place of `worker.WorkerPool`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonance_engine.audio.passage import make_passage
from resonance_engine.cluster.crew import Crew
from resonance_engine.cluster.dispatch import FileDispatch
from resonance_engine.store.records import DenseWindows
from resonance_engine.worker.process import TIMEOUT
from resonance_engine.worker.protocol import WINDOWS, read_analysis
from resonance_engine.worker.worker import FileAnalysis, FilePassages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resonance_engine.cluster.chain import FileTask
    from resonance_engine.cluster.connection import SchedulerConnection
    from resonance_engine.errors import AudioError
    from resonance_engine.worker.protocol import Message
    from resonance_engine.worker.worker import IsKnown, ModelDescription


class ClusterPool:
    """Analyses files with one model on the workers of a cluster; `close` it, and the connection after it.

    `warn` gets a sentence on each worker that is left out. Raises ResonanceError where the scheduler goes away, or no
    worker can be used.
    """

    def __init__(
        self,
        connection: SchedulerConnection,
        model: Path,
        timeout: float = TIMEOUT,
        backend: str = "auto",
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.sends_files = connection.settings.sends_files
        self.crew = Crew(connection, model, timeout, backend, warn)

    def description(self) -> ModelDescription:
        """Return what the model is, which the first worker reads; raises ModelError where there is none."""
        return self.crew.describe()

    def analyse(
        self, paths: Iterable[Path], is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        """Yield every path with its result as `WorkerPool.analyse` does; `is_known` is called in this thread."""
        self.description()
        options: dict[str, Any] = {"passage": make_passage(*passage)} if passage else {}
        yield from FileDispatch(self.crew, "embed", is_known, make_analysis, self.sends_files, options).run(paths)

    def embed_dense(
        self, paths: Iterable[Path], is_known: IsKnown | None = None
    ) -> Iterator[tuple[Path, FilePassages | AudioError] | None]:
        """Yield every path with its dense windows as `WorkerPool.embed_dense` does."""
        self.description()
        yield from FileDispatch(self.crew, "dense", is_known, make_passages, self.sends_files, {}).run(paths)

    def close(self) -> None:
        """Have the workers end what they do for this pool, also while another thread waits for its results."""
        self.crew.close()


def make_analysis(task: FileTask, answer: Message | None) -> FileAnalysis:
    if answer is None:
        return FileAnalysis(task.path, task.key, task.seconds)
    return FileAnalysis(task.path, task.key, task.seconds, *read_analysis(answer))


def make_passages(task: FileTask, answer: Message | None) -> FilePassages:
    if answer is None:
        return FilePassages(task.path, task.key, task.seconds)
    windows = DenseWindows(answer.header["hop"], answer.header["length"], answer.arrays[WINDOWS])
    return FilePassages(task.path, task.key, task.seconds, windows)
