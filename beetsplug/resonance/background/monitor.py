"""Let the background worker work only when it may, which is checked every second, and for a share of the time."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from beetsplug.resonance.library.runtime import Runtime
from resonance_engine.errors import ResonanceError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from beetsplug.resonance.background.job_state import JobRequests, JobState, ProgressReporter
    from beetsplug.resonance.config.settings import Hours
    from resonance_engine.errors import AudioError
    from resonance_engine.ingest import AnalysisPool
    from resonance_engine.worker.worker import FileAnalysis, IsKnown, ModelDescription

POLL_SECONDS = 1.0
LEAVE = "leaving"
PAUSED = "paused"
WAITING = "waiting for"
FULL_PACE = 100
TURN = 8  # files between two rests: long enough to matter, too short to meet a pause late


@dataclass(frozen=True)
class Clocks:
    """The clocks of the background worker: seconds that pass, and the time of day."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = datetime.now


class Interrupted(Exception):  # noqa: N818 - no error: the current work is to end, and is kept
    """The background worker may not go on with its current work."""


class WorkMonitor:
    """Checks the requests and the hours for one worker, to which `leaves` requests to exit do not apply.

    `obstacle` is the reason why it may not work, empty while it may.
    """

    def __init__(self, job_state: JobState, hours: Hours, leaves: int, clocks: Clocks) -> None:
        self.job_state, self.hours, self.leaves, self.clocks = job_state, hours, leaves, clocks
        self.terminated = False
        self.obstacle = ""
        self.checked = clocks.clock()

    def refresh(self) -> str:
        """Check now; return the obstacle."""
        self.checked = self.clocks.clock()
        if self.terminated:
            self.obstacle = LEAVE
        else:
            self.obstacle = find_obstacle(self.job_state.requests, self.leaves, self.hours, self.clocks.now())
        return self.obstacle

    def verify(self) -> None:
        """Raise Interrupted where there is an obstacle; checks only every second."""
        if not self.obstacle and self.clocks.clock() - self.checked >= POLL_SECONDS:
            self.refresh()
        if self.obstacle:
            raise Interrupted

    def rest(self, seconds: float) -> Iterator[None]:
        """Sleep, yielding every second; raises Interrupted as soon as there is an obstacle."""
        until = self.clocks.clock() + seconds
        while (left := until - self.clocks.clock()) > 0:
            self.clocks.sleep(min(left, POLL_SECONDS))
            self.verify()
            yield

    @contextmanager
    def closing_early(self, close: Callable[[], None]) -> Iterator[None]:
        """Call `close` as soon as there is an obstacle, for the time of a `with`: a file can take long."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(POLL_SECONDS):
                with suppress(StoreError):  # of a store that is busy; the work itself meets any other
                    if self.refresh():
                        close()
                        return

        thread = threading.Thread(target=watch, name="monitor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def find_obstacle(requests: JobRequests, leaves: int, hours: Hours, now: datetime) -> str:
    """Return why nothing may be done at a time, empty where it may."""
    if requests.leaves != leaves:
        return LEAVE
    if requests.paused:
        return PAUSED
    return "" if now.time() in hours else f"{WAITING} {hours.next_start(now.time())}"


def rest_seconds(worked: float, pace: int) -> float:
    """Return the seconds to rest after so many seconds of work, so that `pace` percent of the time are work."""
    return worked * (FULL_PACE - pace) / pace


class ThrottledRuntime(Runtime):
    """Opens pools that work at a pace, in percent of the time, and end early; monitor and reporter are set by use."""

    monitor: WorkMonitor
    reporter: ProgressReporter

    def __init__(self, runtime: Runtime, pace: int) -> None:
        self.runtime, self.pace, self.shipped = runtime, pace, runtime.shipped

    def open_pool(self, model: Path, count: int, timeout: float) -> AnalysisPool:
        return ThrottledPool(self.runtime.open_pool(model, count, timeout), self.pace, self.monitor, self.reporter)


class ThrottledPool:
    """A pool that rests between turns, and closes and raises Interrupted as soon as the monitor meets an obstacle."""

    def __init__(self, pool: AnalysisPool, pace: int, monitor: WorkMonitor, reporter: ProgressReporter) -> None:
        self.pool, self.pace, self.monitor, self.reporter = pool, pace, monitor, reporter
        self.stack = ExitStack()
        self.stack.callback(pool.close)
        self.stack.enter_context(monitor.closing_early(pool.close))

    def description(self) -> ModelDescription:
        with self.interruptible():
            return self.pool.description()

    def analyse(
        self, paths: Iterable[Path], is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        """Analyse as `WorkerPool.analyse`, in turns."""
        files = list(paths)
        self.reporter.expect(len(files))
        size = TURN if self.pace < FULL_PACE else len(files) or 1
        with self.interruptible():
            for start in range(0, len(files), size):
                began = self.monitor.clocks.clock()
                for result in self.pool.analyse(files[start : start + size], is_known, passage):
                    yield result
                    if result is not None:
                        self.reporter.step()
                    self.monitor.verify()
                if start + size < len(files):
                    self.reporter.save()
                    yield from self.monitor.rest(rest_seconds(self.monitor.clocks.clock() - began, self.pace))

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise Interrupted instead of the error of a pool that was closed for an obstacle."""
        try:
            yield
        except ResonanceError as error:
            if self.monitor.obstacle:
                raise Interrupted from error
            raise

    def close(self) -> None:
        self.stack.close()
