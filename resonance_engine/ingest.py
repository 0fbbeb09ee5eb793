"""Listen to the files of a library and keep what was heard, a small batch at a time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resonance_engine.errors import AudioError
from resonance_engine.store import Embedding, Model, TrackRow, Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resonance_engine.store import Store
    from resonance_engine.worker.worker import FileAnalysis, ModelDescription

# A batch is written when it is this old or this large; a kill loses at most one, and what was just being listened to.
BATCH_SECONDS = 2.0
BATCH_FILES = 32
SPEED_KEY = "seconds_per_track"
SPEED_MEMORY = 0.9  # share of the known speed that a new measurement leaves


class AnalysisPool(Protocol):
    """Listens to files: `worker.WorkerPool`."""

    def description(self) -> ModelDescription: ...

    def listen(
        self, paths: Iterable[Path], wanted: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]: ...


@dataclass(frozen=True)
class Job:
    """A library item whose file is to be listened to; `added` tells two generations of one item id apart."""

    item_id: int
    added: float
    path: Path


@dataclass(frozen=True)
class IngestOutcome:
    """What came of a job: the content key of its sound, or the error; `embedded` if the model had to run."""

    job: Job
    key: bytes | None = None
    embedded: bool = False
    error: AudioError | None = None


class FileState(NamedTuple):
    """By what a changed file is known; zeros for one that is not there."""

    size: int
    mtime_ns: int


class IngestResult(NamedTuple):
    """A file with its jobs, its state before it was listened to, and what came of that."""

    path: Path
    state: FileState
    jobs: list[Job]
    result: FileAnalysis | AudioError


class Ingest:
    """Keeps what a pool of workers hears in a store, for one library of it.

    The model is registered with the store; it is taken into use at once where none is.
    """

    def __init__(self, store: Store, library: int, pool: AnalysisPool) -> None:
        self.store = store
        self.library = library
        self.pool = pool
        described = pool.description()
        self.model = Model(
            described.id,
            described.name,
            described.version,
            described.dimensions,
            dict.fromkeys(described.modalities, described.dimensions),
            tags=described.tags,
        )
        store.register(self.model)
        if store.active_model() is None:
            store.activate(self.model.id)

    def run(
        self, jobs: Iterable[Job], record_failures: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> Iterator[IngestOutcome]:
        """Listen to every job's file, link its item to the sound, and say what came of it once that is on disk.

        In whatever order the files are done.
        Failures become rows too, unless the caller keeps them itself (the path of a file is not final yet). Raises
        ModelError or StoreError when going on makes no sense; what was heard until then is kept where possible.
        """
        by_path: dict[Path, list[Job]] = {}
        for job in jobs:
            by_path.setdefault(job.path, []).append(job)
        # Before listening: a file that changes meanwhile is noticed the next time.
        states = {path: file_state(path) for path in by_path}
        batch: list[IngestResult] = []
        since = clock()
        try:
            for found in self.pool.listen(by_path, self.unknown):
                if found is not None:
                    path, result = found
                    batch.append(IngestResult(path, states[path], by_path[path], result))
                if len(batch) >= BATCH_FILES or clock() - since >= BATCH_SECONDS:
                    whole, batch, since = batch, [], clock()
                    yield from self.commit(whole, record_failures)
        except BaseException:
            # Stopped by the user, or by a model that broke: what was heard until then is kept.
            self.commit(batch, record_failures)
            raise
        yield from self.commit(batch, record_failures)

    def unknown(self, key: bytes) -> bool:
        """Whether the model has to hear a sound: it never did, or did before its tags were kept."""
        return not self.store.heard([key], self.model.id)

    def commit(self, batch: list[IngestResult], record_failures: bool) -> list[IngestOutcome]:
        """Write a batch in one transaction."""
        if not batch:
            return []
        outcomes = []
        with self.store.write():
            for path, state, jobs, result in batch:
                if isinstance(result, AudioError):
                    if record_failures:
                        self.store.fail(self.library, os.fsencode(path), state.size, state.mtime_ns, result.reason)
                    outcomes += [IngestOutcome(job, error=result) for job in jobs]
                    continue
                self.keep(result)
                rows = [TrackRow(job.item_id, job.added, state.size, state.mtime_ns, result.key) for job in jobs]
                self.store.link_many(self.library, rows)
                self.store.clear_failure(self.library, os.fsencode(path))
                embedded = result.embedding is not None
                outcomes += [IngestOutcome(job, key=result.key, embedded=embedded) for job in jobs]
        return outcomes

    def keep(self, heard: FileAnalysis) -> None:
        """Store the vectors, tags and attributes of one recording, and the time that they took."""
        if heard.embedding is None:
            return
        self.store.put(heard.key, self.model.id, stored(heard))
        self.store.put_analysis(heard.key, heard.extractor, heard.attributes or {})
        known = self.store.state(SPEED_KEY, float)
        speed = heard.seconds if known is None else SPEED_MEMORY * known + (1 - SPEED_MEMORY) * heard.seconds
        self.store.set_state(SPEED_KEY, speed)


def file_state(path: Path) -> FileState:
    try:
        stat = path.stat()
    except OSError:
        return FileState(0, 0)
    return FileState(stat.st_size, stat.st_mtime_ns)


def stored(heard: FileAnalysis) -> Embedding:
    """What was heard in the form that the store keeps."""
    embedding = heard.embedding
    assert embedding is not None
    return Embedding(
        vector=embedding.embedding,
        facets=embedding.facets,
        gates=embedding.gates,
        windows=Windows(heard.starts, embedding.windows),
        tags=embedding.tags,
    )
