"""The workers of a scheduler, requested again and again, and the time without an answer."""

from __future__ import annotations

import time
from concurrent.futures import wait
from typing import TYPE_CHECKING

from resonance_engine.errors import ClusterError
from resonance_engine.worker.worker import WAKE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from resonance_engine.cluster.connection import SchedulerConnection

NOTICE_SECONDS = 10.0  # without an answer, before a warning of it
SILENCE_SECONDS = 60.0  # after which a scheduler is given up
LONGEST_GAP = 5.0  # between two looks that counts: this process may have been suspended itself


class WorkerPoll:
    """Reads the workers of a scheduler, one request at a time; `warn` gets a sentence where an answer takes long."""

    def __init__(self, connection: SchedulerConnection, warn: Callable[[str], object]) -> None:
        self.connection, self.warn = connection, warn
        self.request: Future[dict[str, int]] | None = None
        self.silence = self.looked = 0.0
        self.is_noticed = False

    def read(self) -> dict[str, int] | None:
        """Return the number of threads of each worker by its address, None where no answer came within a second.

        Raises ClusterError where the scheduler went away, or has not answered for a minute.
        """
        if self.request is None:
            self.request = self.connection.request_workers()
            self.silence, self.looked, self.is_noticed = 0.0, time.monotonic(), False
        wait([self.request], WAKE_SECONDS)
        if not self.request.done():
            self.count_silence()
            return None
        request, self.request = self.request, None
        return request.result()

    def count_silence(self) -> None:
        now = time.monotonic()
        self.silence += min(now - self.looked, LONGEST_GAP)
        self.looked = now
        address = self.connection.settings.address
        if self.silence >= SILENCE_SECONDS:
            self.connection.is_silent = True
            raise ClusterError(f"The scheduler at {address} does not answer any more.")
        if self.silence >= NOTICE_SECONDS and not self.is_noticed:
            self.is_noticed = True
            self.warn(
                f"The scheduler at {address} has not answered for {NOTICE_SECONDS:g} s; it is given up after "
                f"{SILENCE_SECONDS:g} s."
            )
