"""What the background does: noted by the runner, and said by `beet resonance status`."""

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
NOTE_SECONDS = 2.0
START_SECONDS = 30.0  # that a process may take until it has the lock
GOES_ON = "`beet resonance analyze` goes on"


class ProgressReporter:
    """Keeps the report of one runner, which a new state changes at once and a step every two seconds."""

    def __init__(self, board: JobState, clock: Callable[[], float]) -> None:
        self.board, self.clock = board, clock
        self.report = JobProgress(os.getpid(), time.time())
        self.noted = clock()
        board.tell(self.report)

    def expect(self, files: int) -> None:
        """So many files are next."""
        self.report = replace(self.report, total=self.report.done + files)
        self.note()

    def step(self) -> None:
        """One more is done."""
        self.report = replace(self.report, done=self.report.done + 1)
        if self.clock() - self.noted >= NOTE_SECONDS:
            self.note()

    def doing(self, what: str) -> None:
        if self.report.doing != what:
            self.report = replace(self.report, doing=what)
            self.note()

    def end(self, said: str) -> None:
        self.report = replace(self.report, ended=time.time(), said=said)
        self.note()

    def note(self) -> None:
        """Put on the board how it stands."""
        self.noted = self.clock()
        self.board.tell(self.report)


def described(orders: JobRequests, report: JobProgress | None, holder: Holder | None, now: float, left: str) -> str:
    """The background in a line, empty where it was never asked for; `left` says how long the rest takes, if known."""
    if holder is not None and holder.kind != BACKGROUND:
        return f"`beet resonance` itself is analysing (pid {holder.pid})"
    if holder is not None and report is not None and report.pid == holder.pid:
        return running(orders, report, left)
    if orders.open and orders.paused:
        return "paused; `beet resonance resume` goes on"
    if holder is not None or (orders.open and now - orders.asked < START_SECONDS and not seen_since(report, orders)):
        return "starting"
    return past(orders, report)


def running(orders: JobRequests, report: JobProgress, left: str) -> str:
    paused = orders.paused or report.doing == "paused"
    what = "paused, `beet resonance resume` goes on" if paused else report.doing
    done = f"; {report.done:,} of {report.total:,} tracks" if report.total else ""
    time_left = f", about {left} left" if left and done and report.doing == WORKING and not paused else ""
    return f"{what}{done} since {moment(report.started)}{time_left} (pid {report.pid})"


def past(orders: JobRequests, report: JobProgress | None) -> str:
    """What came of the last runner; nothing runs."""
    paused = "paused for new imports; `beet resonance resume` ends that" if orders.paused else ""
    if report is None or (report.ended is not None and orders.open and not seen_since(report, orders)):
        return paused or (f"did not start; {GOES_ON}" if orders.open else "")
    if report.ended is None:
        return f"ended before it was done, at {report.done:,} of {report.total:,} tracks; {GOES_ON}"
    last = f"ended {moment(report.ended)}, {report.said or f'{report.done:,} tracks done'}"
    return f"{paused}; {last}" if paused else last


def seen_since(report: JobProgress | None, orders: JobRequests) -> bool:
    """Whether a runner lived after the last request."""
    return report is not None and max(report.started, report.ended or 0) >= orders.asked


def moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
