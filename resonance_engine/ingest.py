"""Analyse the files of a library and store the results, a small batch at a time."""

from __future__ import annotations

import math
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resonance_engine.errors import AudioError
from resonance_engine.store import Model, TrackRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resonance_engine.store import Store
    from resonance_engine.worker.worker import FileAnalysis, FilePassages, IsKnown, ModelDescription

# A batch is written when it is this old or this large; a kill loses at most one, and the files being analysed.
BATCH_SECONDS = 2.0
BATCH_FILES = 32
SPEED_KEY = "seconds_per_track"
USUAL_SECONDS = 0.5  # for a track, before anything was measured
SPEED_MEMORY = 0.9  # share of the known speed that a new measurement leaves
OUTLIER = 4.0  # times the known speed that a measurement counts at most: a cold start, a song of an hour


class AnalysisPool(Protocol):
    """Analyses files with one model: `worker.WorkerPool`."""

    def description(self) -> ModelDescription: ...

    def analyse(
        self, paths: Iterable[Path], is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]: ...

    def close(self) -> None: ...


class DensePool(Protocol):
    """Embeds the dense windows of files with one model: `worker.WorkerPool`."""

    def description(self) -> ModelDescription: ...

    def embed_dense(
        self, paths: Iterable[Path], is_known: IsKnown | None = None
    ) -> Iterator[tuple[Path, FilePassages | AudioError] | None]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Job:
    """A library item whose file is to be analysed; `added` tells two generations of one item id apart."""

    item_id: int
    added: float
    path: Path


@dataclass(frozen=True)
class IngestOutcome:
    """The content key of a job's file, or the error; `embedded` if the model had to run."""

    job: Job
    key: bytes | None = None
    embedded: bool = False
    error: AudioError | None = None


class FileState(NamedTuple):
    """Size and modification time by which a changed file is known; zeros for a missing one."""

    size: int
    mtime_ns: int


class PendingFile(NamedTuple):
    """A file, the jobs that name it, and its state before it is analysed."""

    state: FileState
    jobs: list[Job]


Results = list[tuple["Path", "FileAnalysis | AudioError"]]


class Ingest:
    """Stores the analyses of a pool of workers, for one library of a store.

    The model is registered with the store, and activated where no other is.
    """

    def __init__(self, store: Store, library: int, pool: AnalysisPool) -> None:
        self.store = store
        self.library = library
        self.pool = pool
        self.model = to_model(pool.description())
        store.models.register(self.model)
        if store.models.active() is None:
            store.models.activate(self.model.id)

    def run(
        self,
        jobs: Iterable[Job],
        link: bool = True,
        clock: Callable[[], float] = time.monotonic,
        until: float = math.inf,
        report: Callable[[int], object] = lambda _: None,
    ) -> Iterator[IngestOutcome]:
        """Analyse every job's file and yield its outcome once that is on disk, in the order of completion.

        With `link`, the items are linked to their content keys and failures become rows; a caller whose paths are not
        final yet does both itself later. It ends when the clock shows `until`, whatever is left. `report` is called
        with a number of jobs as soon as they are analysed, before their outcomes are on disk. Raises ModelError or
        StoreError when going on makes no sense; the results until then are stored where possible.
        """
        files: dict[Path, PendingFile] = {}
        for job in jobs:
            if job.path not in files:
                # Before the analysis: a file that changes meanwhile is noticed the next time.
                files[job.path] = PendingFile(file_state(job.path), [])
            files[job.path].jobs.append(job)
        batch: Results = []
        since = clock()
        try:
            for result in self.pool.analyse(files, self.is_known):
                if result is not None:
                    batch.append(result)
                    report(len(files[result[0]].jobs))
                if len(batch) >= BATCH_FILES or clock() - since >= BATCH_SECONDS:
                    full, batch, since = batch, [], clock()
                    yield from self.commit(full, files, link)
                if until < math.inf and clock() >= until:
                    break
        except Exception:
            # Of a model that broke, or a pool that was closed: the results until then are kept.
            yield from self.commit(batch, files, link)
            raise
        except BaseException:  # stopped by the user, who wants no more outcomes
            self.commit(batch, files, link)
            raise
        yield from self.commit(batch, files, link)

    def is_known(self, key: bytes) -> bool:
        """Return whether the model need not run: the store has the vectors of a recording, and its tags if it tags."""
        return bool(self.store.vectors.complete([key], self.model.id))

    def commit(self, batch: Results, files: dict[Path, PendingFile], link: bool) -> list[IngestOutcome]:
        """Write a batch in one transaction."""
        outcomes = []
        writes = link or any(not isinstance(result, AudioError) and result.embedding for _, result in batch)
        with self.store.write() if batch and writes else nullcontext():
            for path, result in batch:
                state, jobs = files[path]
                if isinstance(result, AudioError):
                    if link:
                        self.store.failures.record(self.library, os.fsencode(path), *state, result.reason)
                    outcomes += [IngestOutcome(job, error=result) for job in jobs]
                    continue
                self.put(result)
                if link:
                    rows = [TrackRow(job.item_id, job.added, *state, result.key) for job in jobs]
                    self.store.tracks.link_many(self.library, rows)
                    self.store.failures.clear(self.library, os.fsencode(path))
                embedded = result.embedding is not None
                outcomes += [IngestOutcome(job, key=result.key, embedded=embedded) for job in jobs]
        return outcomes

    def put(self, result: FileAnalysis) -> None:
        """Store the vectors, tags and attributes of one recording, and update the mean time per track.

        What took no time was computed elsewhere.
        """
        if result.embedding is None or result.analysis is None:
            return
        self.store.vectors.put_many(self.model.id, {result.key: result.embedding})
        self.store.analyses.put(result.key, result.analysis.extractor_version, result.analysis.attributes)
        if result.seconds:
            self.store.state.set(SPEED_KEY, blend_speed(self.store.state.get(SPEED_KEY, float), result.seconds))


def to_model(described: ModelDescription) -> Model:
    """Return a worker's model as a store knows it."""
    facets = dict.fromkeys(described.modalities, described.dimensions)
    return Model(described.id, described.name, described.version, described.dimensions, facets, tags=described.tags)


def blend_speed(known: float | None, seconds: float) -> float:
    """Return the seconds that a track takes, after another one took `seconds`; `known` is None before the first."""
    known = known or USUAL_SECONDS
    return SPEED_MEMORY * known + (1 - SPEED_MEMORY) * min(seconds, OUTLIER * known)


def file_state(path: Path) -> FileState:
    try:
        stat = path.stat()
    except OSError:
        return FileState(0, 0)
    return FileState(stat.st_size, stat.st_mtime_ns)
