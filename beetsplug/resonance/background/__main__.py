"""python -m beetsplug.resonance.background TASK

The process that analyses in the background: it takes the lock, analyses while there are requests and it may, and notes
its progress. It loads neither the user's configuration nor other plugins, and reads the library without changing it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from beets import config
from beets.library import Library
from beets.logging import getLogger

from beetsplug.resonance.background.job_state import WORKING, BackgroundTask, ProgressReporter, job_state_of
from beetsplug.resonance.background.monitor import (
    LEAVE,
    POLL_SECONDS,
    Clocks,
    Interrupted,
    ThrottledRuntime,
    WorkMonitor,
)
from beetsplug.resonance.background.process_lock import BACKGROUND, lock_of
from beetsplug.resonance.config.settings import Hours
from beetsplug.resonance.errors import describe_error
from beetsplug.resonance.library.analysis import activate, find_settled, open_ingest, update
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.runtime import Runtime
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from sqlite3 import Connection

    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings

LOCK_PATIENCE = 1.0  # seconds to try for the lock, which `status` has for a moment
PATIENCE = 60.0  # seconds to wait for another program that writes to the library


class BackgroundWorker:
    """Analyses a library as long as there are requests."""

    def __init__(
        self, library: Library, settings: Settings, log: BeetsLogger, clocks: Clocks, runtime: Runtime | None = None
    ) -> None:
        self.runtime = ThrottledRuntime(runtime or Runtime(), settings.pace)
        self.sidecar = Sidecar(library, settings, self.runtime)
        self.job_state, self.lock = job_state_of(self.sidecar), lock_of(self.sidecar)
        self.log, self.clocks = log, clocks
        self.monitor: WorkMonitor | None = None
        self.terminated = False

    def run(self) -> None:
        """Serve requests until none is open; end at once while another analysis runs, which checks them itself."""
        going = True
        while going:
            # Before the lock is taken: a command that meets the lock requests the exit after this.
            leaves = self.job_state.requests.leaves
            if not self.lock.acquire(BACKGROUND, LOCK_PATIENCE):
                return
            try:
                seen = self.serve(leaves)
            finally:
                self.lock.release()
            # A request that was made while the lock was taken started a process that ended in vain.
            going = not self.terminated and self.has_unserved(seen, self.job_state.requests.leaves != leaves)

    def has_unserved(self, seen: int, exit_requested: bool) -> bool:
        """Return whether there are requests after those `seen` that no other process serves.

        A command that requests the exit takes over the open requests, or withdraws them.
        """
        requests = self.job_state.requests
        if exit_requested and requests.served < seen:
            return False
        return requests.requested > max(seen, requests.served)

    def serve(self, leaves: int) -> int:
        """Work until all is done or cannot be, or it is to exit; return the number of requests that were seen."""
        monitor = self.monitor = WorkMonitor(
            self.job_state, Hours.parse(self.sidecar.settings.hours), leaves, self.clocks
        )
        monitor.terminated = self.terminated
        reporter = ProgressReporter(self.job_state, self.clocks.clock)
        self.runtime.monitor, self.runtime.reporter = monitor, reporter
        seen = self.job_state.requests.requested
        message = ""
        try:
            while (requests := self.job_state.requests).open:
                obstacle = monitor.refresh()
                if obstacle == LEAVE:
                    break
                seen = requests.requested
                reporter.set_activity(obstacle or WORKING)
                if obstacle:
                    self.clocks.sleep(POLL_SECONDS)
                elif self.analyse_pending():
                    self.job_state.mark_served(seen)
        except Exception as error:
            # A traceback of this process would go nowhere: `status` shows the message.
            message = describe_error(error) or f"unexpected {type(error).__name__}: {error}"
        stopped = self.job_state.requests.leaves != leaves or self.terminated
        reporter.end("stopped; what was analysed is kept" if stopped and not message else message)
        return seen

    def analyse_pending(self) -> bool:
        """Analyse what is pending; False when that was interrupted."""
        if find_settled(self.sidecar, []) is not None:
            return True
        models = Models(self.sidecar)
        try:
            with open_ingest(models, models.wanted) as ingest:
                result = update(self.sidecar, ingest, [], None, self.log)
                activate(self.sidecar, ingest.model, result.plan.missing)
                result.verify()
        except Interrupted:
            return False
        return True

    def terminate(self) -> None:
        """Exit soon and in order; safe to call from a signal handler."""
        self.terminated = True
        if self.monitor is not None:
            self.monitor.terminated = True

    def close(self) -> None:
        self.sidecar.close()


class ReadOnlyLibrary(Library):
    """A library that the requesting process brought up to date; SQLite refuses to change it."""

    def _migrate(self) -> None:
        return

    def _create_connection(self) -> Connection:
        connection = super()._create_connection()
        connection.execute("PRAGMA query_only = ON")
        return connection


def main(text: str) -> None:
    task = BackgroundTask.from_json(text)
    os.nice(task.settings.nice)
    config.clear()
    config.read(user=False)
    config["timeout"] = PATIENCE
    try:
        if Path(task.library).is_file():  # SQLite would make an empty one
            run(task)
    except Exception as error:
        # A traceback of this process would go nowhere.
        note_failure(task, describe_error(error) or f"unexpected {error!r}")


def run(task: BackgroundTask) -> None:
    library = ReadOnlyLibrary(task.library, task.directory)
    worker = BackgroundWorker(library, task.settings, getLogger("beets.resonance"), Clocks())
    signal.signal(signal.SIGTERM, lambda *_: worker.terminate())
    try:
        worker.run()
    finally:
        worker.close()
        library._close()


def note_failure(task: BackgroundTask, message: str) -> None:
    """Note what kept the work from beginning, for `status` to show."""
    sidecar = Sidecar(cast("Library", SimpleNamespace(path=Path(task.library))), task.settings)
    # Of a store that is broken too, `status` itself says so.
    with closing(sidecar), suppress(ResonanceError, OSError):
        if sidecar.exists:
            ProgressReporter(job_state_of(sidecar), time.monotonic).end(message)


if __name__ == "__main__":
    main(sys.argv[1])
