"""A command that analyses: it takes over from the background, and hands back to it what it leaves."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.process_lock import BACKGROUND, FOREGROUND
from beetsplug.resonance.background.spawn import begin, lock_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.logging import BeetsLogger

    from beetsplug.resonance.background.job_state import JobState
    from beetsplug.resonance.background.process_lock import ProcessLock
    from beetsplug.resonance.library.sidecar import Sidecar

MOMENT = 0.5  # seconds to try for the lock before asking who has it
PATIENCE = 60.0  # seconds that the background gets to end


@contextmanager
def exclusive_analysis(sidecar: Sidecar, whole: bool, log: BeetsLogger) -> Iterator[None]:
    """Be the only analysis of a library for the time of a `with`; `whole` if that does all that is pending.

    Raises UserError while another command analyses. The background makes way, and goes on afterwards with what it was
    asked for and is not done.
    """
    board, lock = job_state_of(sidecar), lock_of(sidecar)
    take(board, lock, log)
    before = board.orders.requested
    try:
        yield
        if whole:
            board.serve(before)
    finally:
        lock.release()
        orders = board.orders
        # Whoever was sent away, or was started meanwhile and found the lock taken.
        if orders.open and not orders.paused:
            log.info("the background analysis goes on")
            begin(sidecar)


def take(board: JobState, lock: ProcessLock, log: BeetsLogger) -> None:
    """Take the lock, and send the background away for it."""
    told: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while not lock.acquire(FOREGROUND, MOMENT):
        holder = lock.holder()
        if holder is None:
            continue
        if holder.kind != BACKGROUND or time.monotonic() > deadline:
            raise UserError(f"resonance: another analysis is running (pid {holder.pid}); wait until it is done")
        if holder.pid not in told:
            told.add(holder.pid)
            log.info("waiting for the background analysis (pid {}) to make way", holder.pid)
        board.leave()  # each time: it may have begun anew, for a request that came meanwhile
