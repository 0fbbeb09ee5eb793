"""beet resonance pause, resume, stop: what becomes of the background analysis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of, read_orders, read_report
from beetsplug.resonance.background.process_lock import BACKGROUND
from beetsplug.resonance.background.spawn import begin, lock_of, request
from beetsplug.resonance.background.status import described
from beetsplug.resonance.commands.common import duration, seconds_per_track

if TYPE_CHECKING:
    from beetsplug.resonance.background.job_state import JobProgress
    from beetsplug.resonance.library.sidecar import Sidecar

STOP_SECONDS = 60.0  # that the background gets to end


def start(sidecar: Sidecar) -> None:
    """Analyse what is pending in the background."""
    if request(sidecar):
        ui.print_("analysing in the background; `beet resonance status` says how far it is")
    else:
        ui.print_("the background analysis is paused; `beet resonance resume` starts it")


def pause(sidecar: Sidecar) -> None:
    """Let the background do nothing until it is resumed, also for imports to come."""
    job_state_of(sidecar).pause(True)
    ui.print_("the background analysis is paused; `beet resonance resume` goes on")


def resume(sidecar: Sidecar) -> None:
    """Let the background go on, and start it where there is something to do."""
    board = job_state_of(sidecar)
    board.pause(False)
    holder = lock_of(sidecar).holder()
    if holder is not None and holder.kind == BACKGROUND:
        ui.print_("the background analysis goes on")
    elif board.orders.open:
        begin(sidecar)
        ui.print_("the background analysis goes on")
    elif sidecar.coverage().missing:
        start(sidecar)
    else:
        ui.print_("nothing is paused, and every track is analysed or failed")


def stop(sidecar: Sidecar) -> None:
    """End the background analysis; what it has done is kept."""
    board, lock = job_state_of(sidecar), lock_of(sidecar)
    waited = board.orders.open
    board.stop()
    deadline = time.monotonic() + STOP_SECONDS
    found = False
    while (holder := lock.holder()) is not None and holder.kind == BACKGROUND:
        found = True
        if time.monotonic() > deadline:
            raise UserError(f"resonance: the background analysis (pid {holder.pid}) was told to stop and has not yet")
        time.sleep(0.1)
    if found or waited:
        ui.print_("the background analysis is stopped; `beet resonance analyze` goes on")
    else:
        ui.print_("no background analysis is running")


def state(sidecar: Sidecar) -> str:
    """What the background does, in a line; empty where it was never asked for anything."""
    report = read_report(sidecar.store, sidecar.id)
    orders = read_orders(sidecar.store, sidecar.id)
    holder = lock_of(sidecar).holder()
    return described(orders, report, holder, time.time(), time_left(sidecar, report) if report else "")


def time_left(sidecar: Sidecar, report: JobProgress) -> str:
    """About how long the background still needs while it works."""
    settings = sidecar.settings
    seconds = (report.total - report.done) * seconds_per_track(sidecar) / settings.workers()
    return duration(seconds * 100 / settings.pace) if report.total > report.done else ""
