"""The progress of the background worker: noted in the store, and described for `beet resonance status`."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from beetsplug.resonance.background.job_state import JobProgress, JobRequests
from beetsplug.resonance.background.process_lock import BACKGROUND, Holder

if TYPE_CHECKING:
    from collections.abc import Callable

    from beetsplug.resonance.background.job_state import JobState

WORKING = "working"
SAVE_SECONDS = 2.0
START_SECONDS = 30.0  # that a process may take until it has the lock
GOES_ON = "`beet resonance analyze` goes on"


class ProgressReporter:
    """Saves the progress of one worker: a new activity at once, a step every two seconds."""

    def __init__(self, job_state: JobState, clock: Callable[[], float]) -> None:
        self.job_state, self.clock = job_state, clock
        self.progress = JobProgress(os.getpid(), time.time())
        self.save()

    def expect(self, files: int) -> None:
        """Add files to the total."""
        self.progress = replace(self.progress, total=self.progress.done + files)
        self.save()

    def step(self) -> None:
        """Count a file as done."""
        self.progress = replace(self.progress, done=self.progress.done + 1)
        if self.clock() - self.saved >= SAVE_SECONDS:
            self.save()

    def set_activity(self, activity: str) -> None:
        if self.progress.activity != activity:
            self.progress = replace(self.progress, activity=activity)
            self.save()

    def end(self, message: str) -> None:
        self.progress = replace(self.progress, ended=time.time(), message=message)
        self.save()

    def save(self) -> None:
        self.saved = self.clock()
        self.job_state.set_progress(self.progress)


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


def format_time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
