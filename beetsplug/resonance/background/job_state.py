"""Requests to the background worker, and its progress: two rows of the store; the process that serves the requests.

Every process writes the first row, the worker alone the second.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import MISSING, asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from beetsplug.resonance.background.local_requests import local_requests_of
from beetsplug.resonance.config.settings import Hours, Settings
from beetsplug.resonance.library.sidecar import LOADING_SECONDS, estimate_pace, format_estimate, format_tracks
from resonance_engine.console import blend_pace
from resonance_engine.records import has_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from beetsplug.resonance.background.local_requests import LocalRequest, LocalRequests
    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store import Store

REQUESTS_KEY = "background_orders"
PROGRESS_KEY = "background_report"
# Of no use to an analysis; and the address, which may have a password in it, comes in the environment.
LEFT_OUT = ("caps", "exclude", "profiles", "sidecar")
ADDRESS = "RESONANCE_SIDECAR"
MODULE = "beetsplug.resonance.background"
WORKING = "working"
SAVE_SECONDS = 2.0
START_SECONDS = 30.0  # that a process may take until it has the lock
STORED_NAMES = {"requested_at": "asked", "activity": "doing", "message": "said"}  # of fields, in the rows


@dataclass(frozen=True)
class JobRequests:
    """The requests to the background worker.

    `requested` counts the requests for work, `requested_at` is the time of the last one in seconds since the epoch;
    those up to `served` are done or withdrawn. `leaves` counts the requests that the running worker exit. `paused`
    holds until it is taken back.
    """

    requested: int = 0
    served: int = 0
    leaves: int = 0
    paused: bool = False
    requested_at: float = 0.0

    @property
    def open(self) -> bool:
        """Whether a request for work is neither done nor withdrawn."""
        return self.requested > self.served


@dataclass(frozen=True)
class JobProgress:
    """The progress of a worker: times in seconds since the epoch, files done and in all.

    `activity` is "working", "paused" or "waiting for" an hour; `message` the outcome, once it `ended`.
    """

    pid: int
    started: float
    done: int = 0
    total: int = 0
    activity: str = WORKING
    ended: float | None = None
    message: str = ""


class JobState:
    """Requests and progress for one library of a store; nothing is written before the first of either.

    `local` are requests that the store of a server has not got yet.
    """

    def __init__(self, store: Store, library: int, local: LocalRequests | None = None) -> None:
        self.store = store
        self.library = library
        self.local = local

    @property
    def requests(self) -> JobRequests:
        stored = self.read_stored()
        return stored if self.local is None else add_local(stored, self.local.read())

    def read_stored(self) -> JobRequests:
        return JobRequests(**parse_row(JobRequests, self.store.state.get(f"{REQUESTS_KEY}:{self.library}")))

    @property
    def progress(self) -> JobProgress | None:
        """The progress of the last worker, None before the first."""
        row = parse_row(JobProgress, self.store.state.get(f"{PROGRESS_KEY}:{self.library}"))
        return JobProgress(**row) if {"pid", "started"} <= row.keys() else None

    def request(self) -> JobRequests:
        """Count another request for work."""
        now = time.time()
        return self.change(lambda row: replace(row, requested=row.requested + 1, requested_at=now))

    def mark_served(self, requested: int) -> None:
        """Mark the requests up to this one as done."""
        if self.requests.served < requested:
            self.change(lambda row: replace(row, served=max(row.served, requested)))

    def request_exit(self) -> None:
        """Let the running worker exit; its requests stay open."""
        self.change(lambda row: replace(row, leaves=row.leaves + 1))

    def stop(self) -> None:
        """Let the running worker exit, and withdraw all requests."""
        self.change(lambda row: replace(row, leaves=row.leaves + 1, served=row.requested))

    def pause(self, paused: bool) -> None:
        """Suspend all work until further notice, or allow it again."""
        self.change(lambda row: replace(row, paused=paused))

    def change(self, change: Callable[[JobRequests], JobRequests]) -> JobRequests:
        """Change the requests in one transaction: other processes may want to at the same time."""
        noted = self.local.read() if self.local is not None else None
        requests = change(self.requests)
        if requests != self.read_stored():  # loading what writes takes longer than an analysis with nothing to do
            with self.store.write():
                requests = change(self.requests)
                self.store.state.set(f"{REQUESTS_KEY}:{self.library}", to_row(requests))
        if self.local is not None and self.local.read() == noted:  # a later one is stored with the next change
            self.local.clear()
        return requests

    def set_progress(self, progress: JobProgress) -> None:
        """Replace the progress of the worker."""
        self.store.state.set(f"{PROGRESS_KEY}:{self.library}", to_row(progress))


def add_local(requests: JobRequests, local: LocalRequest) -> JobRequests:
    """Return stored requests as they are with those that could not be stored."""
    if local.paused:
        requests = replace(requests, paused=True)
    if local.stopped and local.stopped >= requests.requested_at:
        requests = replace(requests, leaves=requests.leaves + 1, served=requests.requested)
    return requests


def to_row(record: JobRequests | JobProgress) -> dict[str, Any]:
    return {STORED_NAMES.get(name, name): value for name, value in asdict(record).items()}


def parse_row(kind: type[JobRequests | JobProgress], row: Any) -> dict[str, Any]:
    """Return the fields of a row that this version has and that are of their types: another one may have written it."""
    given = row if isinstance(row, dict) else {}
    values = {
        name: (given.get(STORED_NAMES.get(name, name), MISSING), hint) for name, hint in get_type_hints(kind).items()
    }
    return {name: value for name, (value, hint) in values.items() if has_type(value, hint)}


def job_state_of(sidecar: Sidecar) -> JobState:
    return JobState(sidecar.store, sidecar.id, local_requests_of(sidecar))


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


@dataclass(frozen=True)
class BackgroundTask:
    """The argument of a background process: the library's file and music folder, and the user's settings."""

    library: str
    directory: str
    settings: Settings

    def to_json(self) -> str:
        """Return the task as one argument of a command; names that are no text survive it."""
        settings = {name: value for name, value in asdict(self.settings).items() if name not in LEFT_OUT}
        return json.dumps({"library": self.library, "directory": self.directory, "settings": settings})

    @classmethod
    def from_json(cls, text: str) -> Self:
        content: dict[str, Any] = json.loads(text)
        settings = Settings(**content["settings"], sidecar=os.environ.get(ADDRESS, ""))
        return cls(content["library"], content["directory"], settings)


def request_work(sidecar: Sidecar) -> bool:
    """Request the analysis of what is pending; False while the background is paused: `resume` goes on then.

    A process that finds another one at work ends; the one at work reads the count of requests before it ends.
    """
    if job_state_of(sidecar).request().paused:
        return False
    start_worker(sidecar)
    return True


def is_answered(progress: JobProgress | None, requests: JobRequests) -> bool:
    """Return whether a worker ran after the last request."""
    return progress is not None and max(progress.started, progress.ended or 0) >= requests.requested_at


def is_starting(requests: JobRequests, progress: JobProgress | None, now: float) -> bool:
    """Return whether a process that was just started has not reported yet; nothing starts while it is paused."""
    is_recent = requests.open and not requests.paused and now - requests.requested_at < START_SECONDS
    return is_recent and not is_answered(progress, requests)


def hand_over(sidecar: Sidecar, tracks: int, done: int = 0, seconds: float = 0.0) -> str:
    """Request the analysis of tracks that an import left, and return a clause on when it begins and how long it takes.

    The import analysed `done` tracks in so many `seconds`, which tells how fast this machine is now.
    """
    subject = f"{tracks:,}" if done else format_tracks(tracks)
    if not request_work(sidecar):
        return f"{subject} left until `beet resonance resume`: the background is paused"
    pace = blend_pace(estimate_pace(sidecar), seconds, done)
    estimate = format_estimate((LOADING_SECONDS + tracks * pace) * 100 / sidecar.settings.pace)
    begin = f"from {hour} on, " if (hour := next_hour(sidecar.settings)) else ""
    return f"{subject} left to the background ({begin}about {estimate})"


def next_hour(settings: Settings) -> str:
    """Return when the background may work, such as "22:00", empty where it may now."""
    hours, now = Hours.parse(settings.hours), datetime.now().time()
    return "" if now in hours else hours.next_start(now)


def start_worker(sidecar: Sidecar) -> None:
    """Start a process for what was requested."""
    library = sidecar.library
    task = BackgroundTask(str(Path(library.path).absolute()), os.fsdecode(library.directory), sidecar.settings)
    sidecar.runtime.spawn([sys.executable, "-P", "-m", MODULE, task.to_json()], {ADDRESS: sidecar.settings.sidecar})
