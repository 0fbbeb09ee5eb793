"""What the tests of the background have in common: clocks that obey, and runners in the process of the test."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from beets.logging import getLogger

from beetsplug.resonance.background.__main__ import ReadOnlyLibrary
from beetsplug.resonance.background.job_state import JobProgress, JobRequests, JobState, job_state_of, read_report
from beetsplug.resonance.background.spawn import Task, lock_of
from beetsplug.resonance.background.watch import Time
from beetsplug.resonance.background.worker import BackgroundWorker
from beetsplug.resonance.library.sidecar import Sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beetsplug.resonance.background.process_lock import ProcessLock

LOG = getLogger("beets.resonance")
NOON = datetime(2026, 3, 1, 12)


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

    def time(self) -> Time:
        return Time(self.clock, self.sleep, self.now)


class BackgroundFixtures:
    """Runs what was spawned, in this process."""

    spawned: list[list[str]]

    @pytest.fixture(autouse=True)
    def _spawned(self, setup: None, io: object, spawned: list[list[str]]) -> None:  # noqa: ARG002 - after beets is set up
        self.spawned = spawned

    @contextmanager
    def runner(self, script: ScriptedTime | None = None) -> Iterator[BackgroundWorker]:
        task = Task.read(self.spawned[-1][-1])
        library = ReadOnlyLibrary(task.library, task.directory)
        with closing(BackgroundWorker(library, task.settings, LOG, (script or ScriptedTime()).time())) as made:
            yield made
        library._close()

    def work(self, script: ScriptedTime | None = None) -> None:
        with self.runner(script) as runner:
            runner.run()

    @contextmanager
    def board(self) -> Iterator[JobState]:
        with closing(Sidecar(self.lib)) as sidecar:  # type: ignore[attr-defined]  # of beets' helper
            yield job_state_of(sidecar)

    def orders(self) -> JobRequests:
        with self.board() as board:
            return board.orders

    def report(self) -> JobProgress:
        with self.board() as board:
            found = read_report(board.store, board.library)
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
