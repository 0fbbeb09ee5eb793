"""Find out whether the background worker may work now: every second, also while a file takes long."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beetsplug.resonance.background.job_state import JobRequests, JobState
    from beetsplug.resonance.config.settings import Hours

POLL_SECONDS = 1.0
LEAVE = "leaving"
PAUSED = "paused"
WAITING = "waiting for"


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
