"""beet resonance failures: the files that could not be analysed, and another try."""

from __future__ import annotations

import os
import shlex
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.exclusive import exclusive_analysis
from beetsplug.resonance.commands.analyze import Tally, listen
from beetsplug.resonance.commands.common import duration, tracks
from resonance_engine.errors import printable
from resonance_engine.ingest import Job

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.store import Failure


def failures(sidecar: Sidecar, query: list[str], again: bool, threads: int | None, log: BeetsLogger) -> None:
    """Print the files that failed, or listen to them once more."""
    rows = sidecar.rows(query)
    if query and not rows:
        words = shlex.join(query)
        raise UserError(f"resonance: no track matches {words}; try `beet ls {words}`")
    known = sidecar.store.failures.all(sidecar.id) if sidecar.exists else {}
    failed = [row for row in rows if row.path in known]
    if not failed:
        ui.print_("no file failed")
    elif again:
        retry(sidecar, failed, threads, log)
    else:
        for path in dict.fromkeys(row.path for row in failed):
            ui.print_(line(known[path]))


def line(failure: Failure) -> str:
    tried = "once" if failure.tries == 1 else f"{failure.tries:,} times"
    last = datetime.fromtimestamp(failure.last_tried)
    return f"{printable(failure.path)}: {failure.reason} (tried {tried}, last {last:%Y-%m-%d %H:%M})"


def retry(sidecar: Sidecar, failed: list[ItemRow], threads: int | None, log: BeetsLogger) -> None:
    """Listen to files that failed, with the model in use and with the wanted one where that is another."""
    jobs = [Job(row.id, row.added, Path(os.fsdecode(row.path))) for row in failed]
    there = [job for job in jobs if job.path.is_file()]
    if len(there) < len(jobs):
        log.warning("{} without a file", tracks(len(jobs) - len(there)))
    if not there:
        raise UserError("resonance: none of the files that failed is there; is the disk that they are on mounted?")
    models, active, started = sidecar.models, sidecar.model, time.monotonic()
    used = models.name_of(active.id) if active else None
    left = there
    with exclusive_analysis(sidecar, whole=False, log=log):
        for name in dict.fromkeys([used or models.wanted, models.wanted]):
            with sidecar.ingest(name, threads) as ingest:
                deaf = listen(sidecar, ingest, left, Tally(), log)
                left = [job for job in left if job not in deaf]
    again = len(there) - len(left)
    said = f"{tracks(len(left))} analysed in {duration(time.monotonic() - started)}"
    ui.print_(f"{said}, {again:,} failed again" if again else said)
    if not left:
        raise UserError("resonance: nothing could be analysed; `beet resonance failures` says why")
