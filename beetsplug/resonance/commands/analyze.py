"""beet resonance analyze: listen to what is new or has changed."""

from __future__ import annotations

import shlex
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import NO_TRACKS, duration, seconds_per_track, tracks
from beetsplug.resonance.sync import forget, library_plan, music_folder

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.sidecar import Sidecar
    from beetsplug.resonance.sync import Plan
    from resonance_engine.ingest import Ingest

LAST_RUN_KEY = "last_analysis"


@dataclass
class Tally:
    """What came of the jobs so far: tracks that the model ran for, of a sound that was known, and failed."""

    embedded: int = 0
    known: int = 0
    failed: int = 0


def analyze(sidecar: Sidecar, query: list[str], threads: int | None, pretended: bool, log: BeetsLogger) -> None:
    """Bring the store up to date with the library, or with the tracks that a query matches."""
    if not sidecar.rows(query):
        words = shlex.join(query)
        raise UserError(f"resonance: no track matches {words}; try `beet ls {words}`" if query else NO_TRACKS)
    if pretended:
        pretend(sidecar, query, threads)
        return
    with sidecar.ingest(threads) as ingest:
        made = library_plan(sidecar, ingest.model.id, query)
        if made.missing == made.total:
            raise UserError(f"resonance: no track has its file; is {music_folder(sidecar)} there? Nothing was changed.")
        if (made.gone or made.stale) and not forget(sidecar, made):
            log.warning(
                "{} that were analysed are no longer in the library, too many to believe; they are kept. If they are "
                "gone for good, run `beet resonance check --repair`.",
                tracks(len(made.gone)),
            )
        tally = Tally()
        started = time.monotonic()
        try:
            listen(sidecar, ingest, made, tally, log)
        except KeyboardInterrupt:
            log.warning("stopped; what was analysed is kept, run it again to go on")
            raise
        # A model that could not embed anything does not replace one that did.
        if not query and not (made.jobs and tally.failed == len(made.jobs)):
            sidecar.store.activate(ingest.model.id)
        sidecar.store.set_state(LAST_RUN_KEY, time.time())
    ui.print_(summary(made, tally, time.monotonic() - started))
    if made.jobs and tally.failed == len(made.jobs):
        raise UserError("resonance: nothing could be analysed; see the lines above")


def listen(sidecar: Sidecar, ingest: Ingest, made: Plan, tally: Tally, log: BeetsLogger) -> None:
    """Do the plan's jobs and keep the tally; one line for each file that fails."""
    known = sidecar.store.tracks(sidecar.id)
    with progress(len(made.jobs)) as bar:
        for outcome in ingest.run(made.jobs):
            bar.update(1)
            if outcome.error is not None:
                tally.failed += 1
                if outcome.job.item_id in known:  # what it was before is not what it is now
                    sidecar.store.unlink(sidecar.id, [outcome.job.item_id])
                bar.clear()
                log.warning("not analysed: {}", outcome.error)
            elif outcome.embedded:
                tally.embedded += 1
            else:
                tally.known += 1


def summary(made: Plan, tally: Tally, seconds: float) -> str:
    """What an analysis came to, in one line."""
    if not made.jobs and not made.failed and not made.missing:
        return f"nothing to do: {'the track is' if made.total == 1 else f'all {made.total:,} tracks are'} analysed"
    parts = [f"{tracks(tally.embedded)} analysed in {duration(seconds)}" if made.jobs else "nothing new to analyse"]
    parts += [f"{tally.known:,} recognised as known"] if tally.known else []
    parts += [f"{tally.failed:,} failed"] if tally.failed else []
    parts += [f"{len(made.failed):,} left out that failed before"] if made.failed else []
    parts += [f"{made.missing:,} without a file"] if made.missing else []
    return ", ".join(parts)


def pretend(sidecar: Sidecar, query: list[str], threads: int | None) -> None:
    """Print what an analysis would do, and leave everything as it is."""
    from resonance_engine.worker import Worker

    with closing(Worker(sidecar.settings.model_path, sidecar.settings.timeout)) as worker:
        made = library_plan(sidecar, worker.description().id, query)
    for job in made.jobs:
        ui.print_(str(job.path))
    seconds = len(made.jobs) * seconds_per_track(sidecar) / sidecar.settings.workers(threads)
    time_needed = f" in about {duration(seconds)}" if made.jobs else ""
    ui.print_(f"would analyse {tracks(len(made.jobs))}{time_needed} and forget {len(made.gone):,}")


def progress(total: int) -> Any:
    """A bar with rate and time left on the terminal's error stream, and nothing where that is no terminal."""
    from tqdm import tqdm

    return tqdm(total=total, unit=" tracks", disable=None, dynamic_ncols=True, smoothing=0.1)
