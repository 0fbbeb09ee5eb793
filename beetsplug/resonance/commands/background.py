"""beet resonance pause, resume, stop: control the background analysis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.process_lock import BACKGROUND
from beetsplug.resonance.background.spawn import lock_of, request_work, start_worker
from beetsplug.resonance.background.status import describe_background
from beetsplug.resonance.library.sidecar import estimate_seconds, format_duration

if TYPE_CHECKING:
    from beetsplug.resonance.background.job_state import JobProgress
    from beetsplug.resonance.library.sidecar import Sidecar

STOP_SECONDS = 60.0  # for the worker to exit


def start(sidecar: Sidecar) -> None:
    """Analyse what is pending in the background."""
    if request_work(sidecar):
        ui.print_("analysing in the background; `beet resonance status` says how far it is")
    else:
        ui.print_("the background analysis is paused; `beet resonance resume` starts it")


def pause(sidecar: Sidecar) -> None:
    """Suspend the background analysis until it is resumed, also for imports to come."""
    job_state_of(sidecar).pause(True)
    ui.print_("the background analysis is paused; `beet resonance resume` goes on")


def resume(sidecar: Sidecar) -> None:
    """Let the background go on, and start it where something is pending."""
    job_state = job_state_of(sidecar)
    job_state.pause(False)
    holder = lock_of(sidecar).holder()
    if holder is not None and holder.kind == BACKGROUND:
        ui.print_("the background analysis goes on")
    elif job_state.requests.open:
        start_worker(sidecar)
        ui.print_("the background analysis goes on")
    elif sidecar.coverage().missing:
        start(sidecar)
    else:
        ui.print_("nothing is paused, and every track is analysed or failed")


def stop(sidecar: Sidecar) -> None:
    """End the background analysis; its results so far are kept."""
    job_state, lock = job_state_of(sidecar), lock_of(sidecar)
    was_requested, was_running = job_state.requests.open, False
    job_state.stop()
    deadline = time.monotonic() + STOP_SECONDS
    while (holder := lock.holder()) is not None and holder.kind == BACKGROUND:
        was_running = True
        if time.monotonic() > deadline:
            raise UserError(f"resonance: the background analysis (pid {holder.pid}) was told to stop and has not yet")
        time.sleep(0.1)
    if was_running or was_requested:
        ui.print_("the background analysis is stopped; `beet resonance analyze` goes on")
    else:
        ui.print_("no background analysis is running")


def background_status(sidecar: Sidecar) -> str:
    """Return the state of the background analysis in a line; empty where it was never requested."""
    job_state = job_state_of(sidecar)
    progress = job_state.progress
    left = time_left(sidecar, progress) if progress else ""
    return describe_background(job_state.requests, progress, lock_of(sidecar).holder(), time.time(), left)


def time_left(sidecar: Sidecar, progress: JobProgress) -> str:
    """Return about how long the running background analysis still takes."""
    seconds = estimate_seconds(sidecar, progress.total - progress.done)
    return format_duration(seconds * 100 / sidecar.settings.pace) if seconds > 0 else ""
