"""What the tests of the background have in common: clocks that obey, and runners in the process of the test."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from beets.logging import getLogger

from beetsplug.resonance.background.__main__ import BackgroundWorker, ReadOnlyLibrary
from beetsplug.resonance.background.job_state import BackgroundTask, JobProgress, JobRequests, JobState, job_state_of
from beetsplug.resonance.background.monitor import Clocks
from beetsplug.resonance.background.process_lock import lock_of
from beetsplug.resonance.library.sidecar import Sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beetsplug.resonance.background.process_lock import ProcessLock
    from tests.plugin.fake_runtime import FakeRuntime

LOG = getLogger("beets.resonance")
NOON = datetime(2026, 3, 1, 12)


class Noon(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # of Self, which none needs
        assert tz is None
        return NOON


class ScriptedTime:
    """Clocks that go on when somebody sleeps, a file takes a second, and things that happen during the sleeps."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.events = list(events)
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        self.seconds += 1
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        assert len(self.sleeps) < 1000, "nothing wakes it"
        self.seconds += seconds
        if self.events:
            self.events.pop(0)()

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def clocks(self) -> Clocks:
        return Clocks(self.clock, self.sleep, self.now)


class BackgroundFixtures:
    """Runs what was spawned, in this process."""

    runtime: FakeRuntime

    @contextmanager
    def worker(self, script: ScriptedTime | None = None) -> Iterator[BackgroundWorker]:
        task = BackgroundTask.from_json(self.runtime.spawned[-1][-1])
        library = ReadOnlyLibrary(task.library, task.directory)
        clocks = (script or ScriptedTime()).clocks()
        with closing(BackgroundWorker(library, task.settings, LOG, clocks, self.runtime)) as made:
            yield made
        library._close()

    def work(self, script: ScriptedTime | None = None) -> None:
        with self.worker(script) as worker:
            worker.run()

    @contextmanager
    def job_state(self) -> Iterator[JobState]:
        with closing(Sidecar(self.lib)) as sidecar:  # type: ignore[attr-defined]  # of beets' helper
            yield job_state_of(sidecar)

    def requests(self) -> JobRequests:
        with self.job_state() as job_state:
            return job_state.requests

    def progress(self) -> JobProgress:
        with self.job_state() as job_state:
            found = job_state.progress
        assert found is not None, "nothing ran"
        return found

    @contextmanager
    def locked(self, kind: str) -> Iterator[ProcessLock]:
        """Another process analyses."""
        with closing(Sidecar(self.lib)) as sidecar:  # type: ignore[attr-defined]  # of beets' helper
            lock = lock_of(sidecar)
        assert lock.acquire(kind, 0)
        try:
            yield lock
        finally:
            lock.release()
