"""The runner: takes the lock, serves what is asked while it may, and says what it does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.process_lock import BACKGROUND
from beetsplug.resonance.background.spawn import lock_of
from beetsplug.resonance.background.status import WORKING, ProgressReporter
from beetsplug.resonance.background.throttle import ThrottledIngest
from beetsplug.resonance.background.watch import LEAVE, POLL_SECONDS, Interrupted, Time, Watch
from beetsplug.resonance.commands.analyze import settled, update
from beetsplug.resonance.config.hours import Hours
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from resonance_engine.ingest import Ingest
    from resonance_engine.worker.worker import WorkerPool

PATIENCE = 1.0  # seconds to try for the lock: `status` has it for a moment


class WatchedSidecar(Sidecar):
    """A sidecar whose listening is paced and can be ended by the watch."""

    watch: Watch
    reporter: ProgressReporter

    @contextmanager
    def ingest(self, name: str, threads: int | None = None) -> Iterator[Ingest]:
        with super().ingest(name, threads) as made, self.watch.over(cast("WorkerPool", made.pool).close):
            yield cast("Ingest", ThrottledIngest(made, self.settings.pace, self.watch, self.reporter))


class BackgroundWorker:
    """Analyses a library as long as somebody asks for it."""

    def __init__(self, library: Library, settings: Settings, log: BeetsLogger, time: Time) -> None:
        self.sidecar = WatchedSidecar(library, settings)
        self.board, self.lock = job_state_of(self.sidecar), lock_of(self.sidecar)
        self.log, self.time = log, time
        self.watch: Watch | None = None
        self.terminated = False

    def run(self) -> None:
        """Serve requests until none is open; end at once while another analysis runs, which looks at them itself."""
        going = True
        while going:
            # Before the lock is taken: whoever finds it taken sends the runner away after this.
            leaves = self.board.orders.leaves
            if not self.lock.acquire(BACKGROUND, PATIENCE):
                return
            try:
                asked = self.serve(leaves)
            finally:
                self.lock.release()
            # A request that was made while the lock was taken started a process that ended in vain.
            going = not self.terminated and self.unserved(asked, self.board.orders.leaves != leaves)

    def unserved(self, asked: int, sent_away: bool) -> bool:
        """Whether there are requests after those that were looked at, which nobody else looks at.

        Whoever sends the runner away takes over what it was asked for, or withdraws that.
        """
        orders = self.board.orders
        if sent_away and orders.served < asked:
            return False
        return orders.requested > max(asked, orders.served)

    def serve(self, leaves: int) -> int:
        """Work until all is done or cannot be, or it is to end; the number of requests that were looked at."""
        self.watch = Watch(self.board, Hours.parse(self.sidecar.settings.hours), leaves, self.time)
        self.watch.terminated = self.terminated
        self.sidecar.watch, self.sidecar.reporter = self.watch, ProgressReporter(self.board, self.time.clock)
        asked = self.board.orders.requested
        said = ""
        try:
            while (orders := self.board.orders).open:
                why = self.watch.look()
                if why == LEAVE:
                    break
                asked = orders.requested
                self.sidecar.reporter.doing(why or WORKING)
                if why:
                    self.time.sleep(POLL_SECONDS)
                elif self.worked():
                    self.board.serve(asked)
        except (ResonanceError, UserError) as error:
            said = str(error)
        except Exception as error:
            # Nobody sees a traceback of this process: it is said where `status` finds it.
            said = f"unexpected {type(error).__name__}: {error}"
        left = self.board.orders.leaves != leaves or self.terminated
        self.sidecar.reporter.end("stopped; what was analysed is kept" if left and not said else said)
        return asked

    def worked(self) -> bool:
        """Analyse what is pending; False when that was interrupted."""
        if settled(self.sidecar, []) is not None:
            return True
        try:
            with self.sidecar.ingest(self.sidecar.models.wanted) as ingest:
                update(self.sidecar, ingest, [], None, self.log)
        except Interrupted:
            return False
        return True

    def terminate(self) -> None:
        """End soon and in order; safe to call from a signal handler."""
        self.terminated = True
        if self.watch is not None:
            self.watch.terminated = True

    def close(self) -> None:
        self.sidecar.close()
