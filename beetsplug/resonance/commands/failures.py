"""beet resonance failures: list the files that could not be analysed, or try them again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.exclusive import exclusive_analysis
from beetsplug.resonance.background.status import format_time
from beetsplug.resonance.library.analysis import AnalysisResult, analyse, open_ingest
from beetsplug.resonance.library.item_query import no_match
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import format_duration, format_tracks
from resonance_engine.errors import printable

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.store import Failure


def failures(sidecar: Sidecar, query: list[str], again: bool, threads: int | None, log: BeetsLogger) -> None:
    """Print the files that failed, or analyse them once more."""
    rows = sidecar.rows(query)
    if query and not rows:
        raise no_match("resonance", query)
    known = sidecar.store.failures.all(sidecar.id) if sidecar.exists else {}
    failed = [row for row in rows if row.path in known]
    if not failed:
        ui.print_("no file failed")
    elif again:
        retry(sidecar, failed, threads, log)
    else:
        for path in dict.fromkeys(row.path for row in failed):
            ui.print_(format_failure(known[path]))


def format_failure(failure: Failure) -> str:
    tried = "once" if failure.tries == 1 else f"{failure.tries:,} times"
    return f"{printable(failure.path)}: {failure.reason} (tried {tried}, last {format_time(failure.last_tried)})"


def retry(sidecar: Sidecar, failed: list[ItemRow], threads: int | None, log: BeetsLogger) -> None:
    """Analyse files that failed, with the model in use and with the wanted one where that is another."""
    jobs = [row.job() for row in failed]
    present = [job for job in jobs if job.path.is_file()]
    if len(present) < len(jobs):
        log.warning("{} without a file", format_tracks(len(jobs) - len(present)))
    if not present:
        raise UserError("resonance: none of the files that failed is there; is the disk that they are on mounted?")
    started = time.monotonic()
    result = AnalysisResult()
    with exclusive_analysis(sidecar, whole=False, log=log):
        for name in Models(sidecar).required:
            with open_ingest(sidecar, name, threads) as ingest:
                analyse(sidecar, ingest, [job for job in present if job not in result.failed], result, log)
    done = len(present) - len(result.failed)
    text = f"{format_tracks(done)} analysed in {format_duration(time.monotonic() - started)}"
    ui.print_(f"{text}, {len(result.failed):,} failed again" if result.failed else text)
    if not done:
        raise UserError("resonance: nothing could be analysed; `beet resonance failures` says why")
