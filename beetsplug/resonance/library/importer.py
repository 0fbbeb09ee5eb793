"""Analyse what beets imports, in beets' import stage, while the user answers questions about what comes next.

A file is analysed where it comes from, and its item linked when the file is in place. Nothing here writes to the
library. `beet resonance analyze` makes up for everything that an import leaves undone.
"""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from beets.logging import getLogger

from beetsplug.resonance.library.analysis import open_ingest
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import file_state, format_duration, format_tracks
from resonance_engine.errors import ModelError, ResonanceError, StoreError
from resonance_engine.ingest import Job
from resonance_engine.store import TrackRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from logging import LogRecord

    from beets.importer import ImportTask
    from beets.library import Item
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar, State
    from resonance_engine.console import StatusLine
    from resonance_engine.ingest import AnalysisPool, Ingest, IngestOutcome

PATIENCE = 10.0  # seconds that a person waits for the analysis in all, who is asked nothing meanwhile
POLL_SECONDS = 0.1


def is_awaited(parent: int, descriptors: Iterable[int] = (0, 2)) -> bool:
    """Return whether a person waits at a terminal, for a child of `parent` that another process can outlive.

    None can outlive the first process of a container, or the child of its init.
    """
    return parent > 1 and any(map(os.isatty, descriptors))


class Importer:
    """Analyses what one run of beets imports. Workers start with the first track and live until `finish`.

    `patience` are the seconds that the import may wait for it in all; what is left then is `pending`. The progress is
    shown on `line`.
    """

    def __init__(self, sidecar: Sidecar, log: BeetsLogger, line: StatusLine, patience: float = math.inf) -> None:
        self.sidecar, self.log, self.line = sidecar, log, line
        self.patience = patience
        self.waited = 0.0  # seconds, of those `seconds` of work in which the user was asked nothing
        self.seconds = 0.0
        self.is_questioned = False
        self.stopped = False
        self.error: ResonanceError | None = None  # that ends the analysis of this run
        self.pools = ExitStack()
        self.open_pools: list[AnalysisPool] = []
        self.pools_lock = threading.Lock()
        self.ingests: list[Ingest] = []
        self.outcomes: dict[int, IngestOutcome] = {}  # by item id, which may stand for one item after another
        self.linked: dict[int, tuple[bytes, TrackRow]] = {}  # paths and rows by item id, as the store has them
        self.total = self.embedded = self.known = self.failed = 0
        self.current: list[str] = []  # titles of the task at work
        self.done = 0  # jobs of that task
        for handler in getLogger("beets").handlers:
            handler.addFilter(self.clear_line)

    def clear_line(self, _: LogRecord) -> bool:
        """Make room for a line of beets' log."""
        self.line.clear()
        return True

    def begin_question(self) -> None:
        """Show nothing while beets asks the user something, and count no time as waiting."""
        self.is_questioned = True
        self.line.hold()

    def end_question(self) -> None:
        """Count the time again. The line stays away: beets may ask about duplicates next."""
        self.is_questioned = False

    @property
    def pending(self) -> int:
        """The number of tracks that were not analysed because the import could not wait for it any longer."""
        return self.total - self.embedded - self.known - self.failed if self.error is None else 0

    def analyse(self, task: ImportTask) -> None:
        """Embed the tracks of an import task: their rows exist, their files are still where they came from."""
        items = task.imported_items()
        jobs = [Job(item.id or 0, item.added or 0.0, item.filepath) for item in items]
        self.total += len(jobs)
        if not jobs or self.stopped:
            return
        self.current, self.done = [item.title or item.filepath.name for item in items], 0
        self.line.release()
        with self.watched(), self.fail_once():
            if not self.ingests:
                self.open_models()
            for ingest in self.ingests:
                is_first = ingest is self.ingests[0]
                for outcome in ingest.run(jobs, link=False, report=self.count if is_first else lambda _: None):
                    if is_first:
                        self.take(outcome)
                jobs = [job for job in jobs if self.outcomes[job.item_id].key]

    def count(self, jobs: int) -> None:
        self.done += jobs

    def take(self, outcome: IngestOutcome) -> None:
        """Keep an outcome until the item's file is in place."""
        self.outcomes[outcome.job.item_id] = outcome
        if outcome.error is not None:
            self.failed += 1
            self.log.warning("not analysed: {}", outcome.error)
        elif outcome.embedded:
            self.embedded += 1
        else:
            self.known += 1

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Show the progress for the time of a `with`, which ends early when beets ends the import or waited enough.

        A thread of its own looks after that, since a file, or the start of a worker, can take long.
        """
        stage, done = threading.current_thread(), threading.Event()
        watcher = threading.Thread(target=self.watch, args=(stage, done), name="import watch", daemon=True)
        watcher.start()
        try:
            yield
        except ResonanceError:
            if not self.stopped:
                raise
            self.error = None  # of a pool that was closed
        except KeyboardInterrupt:  # of an import without threads
            self.stop()
            raise
        finally:
            done.set()
            watcher.join()
            self.line.clear()

    def watch(self, stage: threading.Thread, done: threading.Event) -> None:
        """Count the seconds, show the progress, and stop the work when it is due, until all is `done`."""
        before = time.monotonic()
        while not done.wait(POLL_SECONDS):
            now = time.monotonic()
            passed, before = now - before, now
            self.seconds += passed
            self.waited += 0.0 if self.is_questioned else passed
            # beets marks the threads of its pipeline when the user interrupts it.
            if getattr(stage, "abort_flag", False) or self.waited > self.patience:
                self.stop()
                return
            self.line.show(self.describe_progress())

    def describe_progress(self) -> str:
        """Return the progress of the run in a line, such as "analysing 7/14 · Elf Land"."""
        place = min(self.done, len(self.current) - 1)
        before = self.total - len(self.current)
        return f"analysing {before + place + 1:,}/{self.total:,} · {self.current[place]}"

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
                self.error = error
                if len(names) == 1 or self.stopped:
                    raise
                self.log.warning("{}", error)
        self.error = None if self.ingests else ModelError("Neither the model in use nor the wanted one can be loaded.")
        if self.error is not None:
            raise self.error

    @contextmanager
    def fail_once(self) -> Iterator[None]:
        """Raise the first lasting error of a run, such as a broken model or a locked store, again at once.

        So that is waited for once, not once an album.
        """
        from resonance_engine.store.errors import is_busy

        if self.error is not None:
            raise self.error
        try:
            yield
        except StoreError as error:
            if is_busy(error):
                self.error = error
            raise

    def link(self, items: Iterable[Item | ItemRow]) -> None:
        """Link analysed items, whose files are in place, and record the files that failed; rows that agree stay."""
        linked: list[tuple[bytes, TrackRow]] = []
        failed: list[tuple[int, bytes, State, str]] = []
        for item in items:
            item_id = item.id or 0
            outcome = self.outcomes.get(item_id)
            state = file_state(item.path) if outcome else None
            if outcome is None or state is None:
                continue
            if outcome.key is not None:
                row = TrackRow(item_id, item.added or 0.0, *state, outcome.key)
                linked += [(item.path, row)] if self.linked.get(item_id) != (item.path, row) else []
            elif outcome.error is not None:
                failed.append((item_id, item.path, state, outcome.error.reason))
        if not linked and not failed:
            return
        with self.fail_once():
            store, library = self.sidecar.store, self.sidecar.id
            # In this order: killed in between, a track is pending, not analysed and failed at once.
            store.failures.clear(library, *(path for path, _ in linked))
            store.tracks.link_many(library, [row for _, row in linked])
            self.linked |= {row.item_id: (path, row) for path, row in linked}
            for item_id, path, state, reason in failed:
                store.tracks.unlink(library, [item_id])
                store.failures.record(library, path, *state, reason)
                self.linked.pop(item_id, None)
                del self.outcomes[item_id]

    def finish(self) -> None:
        """Link once more what other plugins changed after the import, such as dates, and end the workers."""
        for handler in getLogger("beets").handlers:
            handler.removeFilter(self.clear_line)
        try:
            self.link(self.sidecar.rows_by_id(item_id for item_id, outcome in self.outcomes.items() if outcome.key))
        finally:
            self.outcomes, self.linked = {}, {}
            self.pools.close()
            self.sidecar.close()

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
