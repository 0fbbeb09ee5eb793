"""Analyse what beets has imported, once every file is in its place.

beets puts an album's files in place after the import stages, and leaves those that are not when the user interrupts it:
an analysis in a stage would keep an import in that state for its length. Nothing here writes to the library. `beet
resonance analyze` makes up for everything that an import leaves undone.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.analysis import LAST_RUN_KEY, open_ingest
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import format_duration, format_tracks
from resonance_engine.errors import ModelError, ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.console import StatusLine
    from resonance_engine.ingest import AnalysisPool, Ingest, IngestOutcome

PATIENCE = 10.0  # seconds that a person waits for the analysis
POLL_SECONDS = 0.1


def is_awaited(parent: int, descriptors: Iterable[int] = (0, 2)) -> bool:
    """Return whether a person waits at a terminal, for a child of `parent` that another process can outlive.

    None can outlive the first process of a container, or the child of its init.
    """
    return parent > 1 and any(map(os.isatty, descriptors))


class Importer:
    """Analyses what one run of beets has imported.

    `patience` are the seconds that the user waits for it; what is left then is `pending`. The progress is shown on
    `line`.
    """

    def __init__(self, sidecar: Sidecar, log: BeetsLogger, line: StatusLine, patience: float = math.inf) -> None:
        self.sidecar, self.log, self.line = sidecar, log, line
        self.patience = patience
        self.seconds = 0.0
        self.stopped = self.interrupted = False
        self.pools = ExitStack()
        self.open_pools: list[AnalysisPool] = []
        self.pools_lock = threading.Lock()
        self.ingests: list[Ingest] = []
        self.error: ResonanceError | None = None  # for which nothing can be analysed
        self.titles: list[str] = []
        self.total = self.embedded = self.known = self.failed = self.done = 0

    @property
    def pending(self) -> int:
        """The number of tracks that were not analysed because nobody waited for it any longer."""
        return self.total - self.embedded - self.known - self.failed if self.error is None else 0

    def analyse(self, titles: Mapping[int, str]) -> None:
        """Embed and link the tracks with these ids, whose titles are shown; those that are gone do not count."""
        rows = self.sidecar.rows_by_id(titles)
        self.total, self.titles = len(rows), [titles[row.id] or Path(os.fsdecode(row.path)).name for row in rows]
        jobs = [row.job() for row in rows]
        if not jobs:
            return
        with self.watched(), self.pools:
            self.open_models()
            failed = set()
            for ingest in self.ingests:
                is_first = ingest is self.ingests[0]
                todo = [job for job in jobs if job not in failed]
                for outcome in ingest.run(todo, link=is_first, report=self.count if is_first else lambda _: None):
                    if is_first:
                        self.take(outcome)
                        failed |= {outcome.job} if outcome.error is not None else set()
            self.sidecar.store.state.set(LAST_RUN_KEY, time.time())

    def count(self, jobs: int) -> None:
        self.done += jobs

    def take(self, outcome: IngestOutcome) -> None:
        """Count an outcome; a track whose file failed is linked to nothing, whatever had its id before."""
        if outcome.error is not None:
            self.failed += 1
            self.sidecar.store.tracks.unlink(self.sidecar.id, [outcome.job.item_id])
            self.line.clear()
            self.log.warning("not analysed: {}", outcome.error)
        elif outcome.embedded:
            self.embedded += 1
        else:
            self.known += 1

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Show the progress for the time of a `with`, which ends early when the user interrupts it or waited enough.

        A thread of its own looks after that, since a file, or the start of a worker, can take long. An interrupt ends
        the analysis, whose results so far count, and not the import, which is done.
        """
        before = signal.getsignal(signal.SIGINT)
        if callable(before):  # it is not ignored
            signal.signal(signal.SIGINT, self.interrupt)
        done = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(done,), name="import watch", daemon=True)
        watcher.start()
        try:
            yield
        except ResonanceError as error:
            if not self.stopped:
                self.error = error
                raise
        finally:
            signal.signal(signal.SIGINT, before)
            done.set()
            watcher.join()
            self.line.clear()

    def interrupt(self, *_: object) -> None:
        """Have the watcher end the work, where this runs in the middle of it."""
        self.interrupted = True

    def watch(self, done: threading.Event) -> None:
        """Count the seconds, show the progress, and stop the work when it is due, until all is `done`."""
        start = time.monotonic()
        while not done.wait(POLL_SECONDS):
            self.seconds = time.monotonic() - start
            if self.interrupted or self.seconds > self.patience:
                self.stop()
                return
            self.line.show(self.describe_progress())

    def describe_progress(self) -> str:
        """Return the progress of the run in a line, such as "analysing 7/14 · Elf Land"."""
        place = min(self.done, self.total - 1)
        return f"analysing {place + 1:,}/{self.total:,} · {self.titles[place]}"

    def stop(self) -> None:
        """End all work of this run at once, from any thread."""
        with self.pools_lock:
            self.stopped = True
            for pool in self.open_pools:
                pool.close()

    def adopt(self, pool: AnalysisPool) -> None:
        """Let `stop` close a pool."""
        with self.pools_lock:
            self.open_pools.append(pool)
            if self.stopped:
                pool.close()

    def open_models(self) -> None:
        """Load the model in use and, while another one is being prepared, that one too."""
        models = Models(self.sidecar)
        names = models.required
        for name in names:
            try:
                self.ingests.append(self.pools.enter_context(open_ingest(models, name, opened=self.adopt)))
            except ResonanceError as error:
                if len(names) == 1 or self.stopped:
                    raise
                self.log.warning("{}", error)
        if not self.ingests:
            raise ModelError("Neither the model in use nor the wanted one can be loaded.")

    def summary(self) -> str:
        """Return what the run has analysed in one line, without what is `pending`; empty where there was nothing."""
        parts = []
        if self.embedded:
            share = f"{self.embedded:,} of " if self.pending else ""
            count = format_tracks(self.total if self.pending else self.embedded)
            parts.append(f"{share}{count} analysed in {format_duration(self.seconds)}")
        parts += [f"{self.known:,} recognised as known"] if self.known else []
        parts += [f"{self.failed:,} failed"] if self.failed else []
        return ", ".join(parts)
