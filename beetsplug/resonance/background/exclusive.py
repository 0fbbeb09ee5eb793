"""Take the analysis of a library over from the background, and hand back what is left."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.process_lock import BACKGROUND, FOREGROUND
from beetsplug.resonance.background.spawn import lock_of, start_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.logging import BeetsLogger

    from beetsplug.resonance.background.job_state import JobState
    from beetsplug.resonance.background.process_lock import ProcessLock
    from beetsplug.resonance.library.sidecar import Sidecar

TRY_SECONDS = 0.5  # for the lock, before its holder is looked up
PATIENCE = 60.0  # seconds for the background worker to exit


@contextmanager
def exclusive_analysis(sidecar: Sidecar, whole: bool, log: BeetsLogger) -> Iterator[None]:
    """Hold the analysis lock of a library for the time of a `with`; `whole` if all that is pending gets done.

    Raises UserError while another command analyses. The background worker exits first, and is started again afterwards
    for requests that are still open.
    """
    job_state, lock = job_state_of(sidecar), lock_of(sidecar)
    take_over(job_state, lock, log)
    requested = job_state.requests.requested
    try:
        yield
        if whole:
            job_state.mark_served(requested)
    finally:
        lock.release()
        requests = job_state.requests
        # Of the worker that had to exit, and of those that were started meanwhile and met the lock.
        if requests.open and not requests.paused:
            log.info("the background analysis goes on")
            start_worker(sidecar)


def take_over(job_state: JobState, lock: ProcessLock, log: BeetsLogger) -> None:
    """Take the lock, and let the background worker exit for it."""
    announced: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while not lock.acquire(FOREGROUND, TRY_SECONDS):
        holder = lock.holder()
        if holder is None:
            continue
        if holder.kind != BACKGROUND or time.monotonic() > deadline:
            raise UserError(f"resonance: another analysis is running (pid {holder.pid}); wait until it is done")
        if holder.pid not in announced:
            announced.add(holder.pid)
            log.info("waiting for the background analysis (pid {}) to make way", holder.pid)
        job_state.request_exit()  # again each time: it may have begun anew, for a request that came meanwhile
