"""Whether the background may work just now: looked at every second, also while a file takes long."""

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
    from beetsplug.resonance.config.hours import Hours

POLL_SECONDS = 1.0
LEAVE = "leaving"
PAUSED = "paused"
WAITING = "waiting for"


@dataclass(frozen=True)
class Time:
    """The clocks that the background goes by: seconds that pass, and the time of day."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = datetime.now


class Interrupted(Exception):  # noqa: N818 - no error: what was being done is to end, and is kept
    """The background may not go on with what it does."""


class Watch:
    """Looks at the orders and at the hours for one runner, to which `leaves` orders to leave do not apply.

    `why` is the reason for which it may not work, empty while it may.
    """

    def __init__(self, board: JobState, hours: Hours, leaves: int, time: Time) -> None:
        self.board, self.hours, self.leaves, self.time = board, hours, leaves, time
        self.terminated = False
        self.why = ""
        self.looked = time.clock()

    def look(self) -> str:
        """Look now; says why it may not work."""
        self.looked = self.time.clock()
        self.why = LEAVE if self.terminated else hindrance(self.board.orders, self.leaves, self.hours, self.time.now())
        return self.why

    def check(self) -> None:
        """Raise Interrupted when it may not work, looking every second only."""
        if not self.why and self.time.clock() - self.looked >= POLL_SECONDS:
            self.look()
        if self.why:
            raise Interrupted

    def rest(self, seconds: float) -> None:
        """Sleep, unless meanwhile there is a reason to stop; raises Interrupted then."""
        until = self.time.clock() + seconds
        while (left := until - self.time.clock()) > 0:
            self.time.sleep(min(left, POLL_SECONDS))
            self.check()

    @contextmanager
    def over(self, close: Callable[[], None]) -> Iterator[None]:
        """Close what works, for the time of a `with`, as soon as it may not: a file can take long."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(POLL_SECONDS):
                with suppress(StoreError):  # of a store that is busy; the work itself meets any other
                    if self.look():
                        close()
                        return

        thread = threading.Thread(target=watch, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def hindrance(orders: JobRequests, leaves: int, hours: Hours, now: datetime) -> str:
    """Why nothing may be done at a time, empty where it may."""
    if orders.leaves != leaves:
        return LEAVE
    if orders.paused:
        return PAUSED
    return "" if now.time() in hours else f"{WAITING} {hours.next_start(now.time())}"
