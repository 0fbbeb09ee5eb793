"""beet resonance analyze: listen to what is new or has changed."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.exclusive import exclusive_analysis
from beetsplug.resonance.commands.common import NO_TRACKS, duration, seconds_per_track, tracks
from beetsplug.resonance.commands.model_change import announce
from beetsplug.resonance.library.events import file_state
from beetsplug.resonance.library.sync import MASS_REMOVAL, forget, library_plan, music_folder
from resonance_engine.errors import ModelError

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.library.sync import Plan
    from resonance_engine.ingest import Ingest, Job
    from resonance_engine.store import Model, TrackRow

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
    with exclusive_analysis(sidecar, not query, log):
        made = settled(sidecar, query)
        if made is not None:
            sidecar.store.state.set(LAST_RUN_KEY, time.time())
            ui.print_(summary(made, Tally(), 0))
            return
        with sidecar.ingest(sidecar.models.wanted, threads) as ingest:
            update(sidecar, ingest, query, threads, log)


def settled(sidecar: Sidecar, query: list[str]) -> Plan | None:
    """The plan for tracks about which nothing is to be done, if that can be told without loading the model."""
    active = sidecar.model
    known = sidecar.models.known_id(sidecar.models.wanted)
    if active is None or known != active.id or (not query and sidecar.coverage().missing):
        return None
    made = library_plan(sidecar, active.id, query)
    pending = made.jobs or made.gone or made.stale or made.outdated
    return None if pending or made.missing == made.total else made


def update(sidecar: Sidecar, wanted: Ingest, query: list[str], threads: int | None, log: BeetsLogger) -> None:
    """Listen with the wanted model to what it has not heard; after all of a library, take it into use."""
    made = library_plan(sidecar, wanted.model.id, query)
    if made.total and made.missing == made.total:
        raise UserError(f"resonance: no track has its file; is {music_folder(sidecar)} there? Nothing was forgotten.")
    if (made.gone or made.stale) and not forget(sidecar, made):
        log.warning(
            "{} that were analysed are no longer in the library, too many to believe; they are kept. If they are "
            "gone for good, run `beet resonance check --repair`.",
            tracks(len(made.gone)),
        )
    if made.outdated:
        sidecar.store.tracks.unlink(sidecar.id, made.outdated)
    tally = Tally()
    started = time.monotonic()
    try:
        failed = keep_up(sidecar, wanted.model.id, query, threads, log)
        tally.failed = len(failed)
        listen(sidecar, wanted, [job for job in made.jobs if job not in failed], tally, log)
    except KeyboardInterrupt:
        log.warning("stopped; what was analysed is kept, run it again to go on")
        raise
    sidecar.store.state.set(LAST_RUN_KEY, time.time())
    if made.total:
        ui.print_(summary(made, tally, time.monotonic() - started))
    if not query:
        take_into_use(sidecar, wanted.model, made.missing)
    if made.jobs and tally.failed == len(made.jobs):
        raise UserError("resonance: nothing could be analysed; `beet resonance failures` says why")


def keep_up(sidecar: Sidecar, wanted: str, query: list[str], threads: int | None, log: BeetsLogger) -> set[Job]:
    """While another model is in use, let it hear what is new: its vectors serve until the wanted one is complete.

    Returns what cannot be listened to.
    """
    active = sidecar.model
    name = sidecar.models.name_of(active.id) if active else None
    if active is None or active.id == wanted or name is None:
        return set()
    jobs = library_plan(sidecar, active.id, query).jobs
    if not jobs:
        return set()
    try:
        with sidecar.ingest(name, threads) as ingest:
            return listen(sidecar, ingest, jobs, Tally(), log)
    except ModelError as error:
        log.warning("{}", error)
        return set()


def take_into_use(sidecar: Sidecar, model: Model, missing: int) -> None:
    """Search with a model from now on, unless many tracks that can be found now would not be found any more."""
    active = sidecar.model
    if active is not None and active.id == model.id:
        return
    store, known = sidecar.store, sidecar.store.tracks.all(sidecar.id)
    keys = {track.content_key for track in known.values()}
    heard, found = store.vectors.embedded(keys, model.id), store.vectors.embedded(keys, active.id) if active else set()
    unheard = [item_id for item_id, track in known.items() if track.content_key not in heard]
    lost = [item_id for item_id in unheard if known[item_id].content_key in found]
    many = len(lost) > max(MASS_REMOVAL, len(known) / 100) or not heard
    if lost and (many or not music_folder(sidecar).is_dir()):
        where = "; mount the disk that they are on, or run `beet update` if they are gone for good" if missing else ""
        ui.print_(f"{model.name} {model.version} is not taken into use: it has not heard {tracks(len(lost))}{where}")
        return
    with store.write():
        # What is linked can be found: the wanted model could not hear these.
        store.tracks.unlink(sidecar.id, unheard)
        store.models.activate(model.id)
    if active is not None:
        ui.print_(f"{model.name} {model.version} is in use now")
        announce(sidecar, active, model)


def listen(sidecar: Sidecar, ingest: Ingest, jobs: list[Job], tally: Tally, log: BeetsLogger) -> set[Job]:
    """Do the jobs and keep the tally; one line for each file that fails, and their jobs returned."""
    known, failed = sidecar.store.tracks.all(sidecar.id), set()
    with progress(len(jobs)) as bar:
        for outcome in ingest.run(jobs):
            bar.update(1)
            if outcome.error is not None:
                tally.failed += 1
                failed.add(outcome.job)
                track = known.get(outcome.job.item_id)
                if track is not None and not serves(sidecar, outcome.job, track):
                    sidecar.store.tracks.unlink(sidecar.id, [track.item_id])
                bar.clear()
                log.warning("not analysed: {}", outcome.error)
            elif outcome.embedded:
                tally.embedded += 1
            else:
                tally.known += 1
    return failed


def serves(sidecar: Sidecar, job: Job, track: TrackRow) -> bool:
    """Whether the model in use knows an item as it is, though another one failed with its file."""
    state = file_state(os.fsencode(job.path))
    active = sidecar.model
    unchanged = (track.added, (track.size, track.mtime_ns)) == (job.added, state)
    return unchanged and active is not None and bool(sidecar.store.vectors.embedded([track.content_key], active.id))


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
    from resonance_engine.worker.worker import Worker

    wanted = sidecar.models.wanted
    model_id = sidecar.models.known_id(wanted)
    if model_id is None:
        with closing(Worker(sidecar.models.path(wanted), sidecar.settings.timeout)) as worker:
            model_id = worker.description().id
    made = library_plan(sidecar, model_id, query)
    for job in made.jobs:
        ui.print_(str(job.path))
    seconds = len(made.jobs) * seconds_per_track(sidecar) / sidecar.settings.workers(threads)
    time_needed = f" in about {duration(seconds)}" if made.jobs else ""
    ui.print_(f"would analyse {tracks(len(made.jobs))}{time_needed} and forget {len(made.gone):,}")


def progress(total: int) -> Any:
    """A bar with rate and time left on the terminal's error stream, and nothing where that is no terminal."""
    from tqdm import tqdm

    return tqdm(total=total, unit=" tracks", disable=None, dynamic_ncols=True, smoothing=0.1)
