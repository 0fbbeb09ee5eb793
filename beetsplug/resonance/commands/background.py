"""beet resonance pause, resume, stop: control the background analysis, and describe its state."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import WORKING, job_state_of, request_work, start_worker
from beetsplug.resonance.background.process_lock import BACKGROUND, lock_of
from beetsplug.resonance.commands.common import format_time
from beetsplug.resonance.library.sidecar import estimate_seconds, format_duration

if TYPE_CHECKING:
    from beetsplug.resonance.background.job_state import JobProgress, JobRequests
    from beetsplug.resonance.background.process_lock import Holder
    from beetsplug.resonance.library.sidecar import Sidecar

STOP_SECONDS = 60.0  # for the worker to exit
START_SECONDS = 30.0  # that a process may take until it has the lock
GOES_ON = "`beet resonance analyze` goes on"


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


def describe_background(
    requests: JobRequests, progress: JobProgress | None, holder: Holder | None, now: float, time_left: str
) -> str:
    """Return the state of the background analysis as a clause, empty where it was never requested."""
    if holder is not None and holder.kind != BACKGROUND:
        return f"`beet resonance` itself is analysing (pid {holder.pid})"
    if holder is not None and progress is not None and progress.pid == holder.pid:
        return describe_running(requests, progress, time_left)
    if requests.open and requests.paused:
        return "paused; `beet resonance resume` goes on"
    is_recent = requests.open and now - requests.requested_at < START_SECONDS
    if holder is not None or (is_recent and not is_answered(progress, requests)):
        return "starting"
    return describe_last(requests, progress)


def describe_running(requests: JobRequests, progress: JobProgress, time_left: str) -> str:
    paused = requests.paused or progress.activity == "paused"
    activity = "paused, `beet resonance resume` goes on" if paused else progress.activity
    done = f"; {progress.done:,} of {progress.total:,} tracks" if progress.total else ""
    shows_time = time_left and done and progress.activity == WORKING and not paused
    left = f", about {time_left} left" if shows_time else ""
    return f"{activity}{done} since {format_time(progress.started)}{left} (pid {progress.pid})"


def describe_last(requests: JobRequests, progress: JobProgress | None) -> str:
    """Return the outcome of the last worker; none is running."""
    paused = "paused for new imports; `beet resonance resume` ends that" if requests.paused else ""
    if progress is None or (progress.ended is not None and requests.open and not is_answered(progress, requests)):
        return paused or (f"did not start; {GOES_ON}" if requests.open else "")
    if progress.ended is None:
        return f"ended before it was done, at {progress.done:,} of {progress.total:,} tracks; {GOES_ON}"
    last = f"ended {format_time(progress.ended)}, {progress.message or f'{progress.done:,} tracks done'}"
    return f"{paused}; {last}" if paused else last


def is_answered(progress: JobProgress | None, requests: JobRequests) -> bool:
    """Return whether a worker ran after the last request."""
    return progress is not None and max(progress.started, progress.ended or 0) >= requests.requested_at
