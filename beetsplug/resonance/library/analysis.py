"""Analyse a library: all that is pending, or one model's share; take a complete model into use.

Import (`library.importer`), `analyze` and the background go through `open_ingest`, the last two through `update` and
`activate` as well. Nothing here writes to the library.
"""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.library.cluster_runtime import counting_kept
from beetsplug.resonance.library.missing_files import MissingFiles
from beetsplug.resonance.library.models import Models, fingerprint_model
from beetsplug.resonance.library.removal import MASS_REMOVAL, can_forget, explain_missing, forget, has_folders
from beetsplug.resonance.library.sidecar import estimate_pace, file_state, format_tracks
from beetsplug.resonance.library.sync import Plan, plan_library
from resonance_engine.console import progress_bar
from resonance_engine.errors import ModelError
from resonance_engine.ingest import Ingest, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.ingest import AnalysisPool
    from resonance_engine.store import Model, TrackRow

LAST_RUN_KEY = "last_analysis"
NO_PLAN = Plan(0, [], [], [], 0, [])


@dataclass
class AnalysisResult:
    """The outcome of jobs: numbers of tracks that were embedded and recognised, the jobs that failed, the time."""

    plan: Plan = NO_PLAN
    embedded: int = 0
    known: int = 0
    failed: set[Job] = field(default_factory=set)
    seconds: float = 0.0

    def verify(self) -> None:
        """Raise UserError where every single file failed."""
        if self.plan.jobs and len(self.failed) == len(self.plan.jobs):
            raise UserError("resonance: nothing could be analysed; `beet resonance failures` says why")


@contextmanager
def open_ingest(
    models: Models, name: str, threads: int | None = None, opened: Callable[[AnalysisPool], object] = lambda _: None
) -> Iterator[Ingest]:
    """Load the model of a name in worker processes, which end with the `with`, and note which model that is.

    `opened` gets the pool before the model is loaded, which another thread may close to end that.
    """
    sidecar, path = models.sidecar, models.path(name)
    settings = sidecar.settings
    fingerprint = fingerprint_model(path)  # before the model is loaded: its file may be replaced meanwhile
    with closing(sidecar.runtime.open_pool(path, settings.workers(threads), settings.timeout)) as pool:
        opened(pool)
        ingest = Ingest(sidecar.store, sidecar.id, pool)
        models.note(name, ingest.model.id, fingerprint)
        yield ingest


def find_settled(sidecar: Sidecar, query: list[str]) -> Plan | None:
    """Return the plan of a library, or of matching tracks, that leaves nothing to do; None if a model must be loaded.

    It must where the model behind the wanted name is not known for sure.
    """
    active, models = sidecar.model, Models(sidecar)
    if active is None or models.known_id(models.wanted) != active.id or (not query and sidecar.coverage().missing):
        return None
    plan = plan_library(sidecar, active.id, query)
    pending = plan.jobs or plan.gone or plan.stale or plan.outdated
    return None if pending or plan.missing == plan.total else plan


def update(sidecar: Sidecar, ingest: Ingest, query: list[str], threads: int | None, log: BeetsLogger) -> AnalysisResult:
    """Analyse with the wanted model, `ingest`, what it has no vectors of, and forget what left the library.

    Of the whole library, or of the tracks that a query matches. Raises UserError where no track has its file.
    """
    from resonance_engine.features.attributes import NEAR_SILENCE_DB

    plan = plan_library(sidecar, ingest.model.id, query)
    if plan.total and plan.missing == plan.total:
        raise UserError(f"resonance: no track has its file; {explain_missing(sidecar)} Nothing was forgotten.")
    MissingFiles(sidecar.store, sidecar.id).note(dict(plan.lost), is_whole=not query)
    vanished = plan.gone or plan.stale
    if vanished and can_forget(sidecar, plan):
        forget(sidecar, plan)
    elif vanished:
        log.warning(
            "{} that were analysed are no longer in the library, too many to believe; they are kept. If they are "
            "gone for good, run `beet resonance check --repair`.",
            format_tracks(len(plan.gone)),
        )
    if plan.outdated:
        sidecar.store.tracks.unlink(sidecar.id, plan.outdated)
    sidecar.store.maintenance.drop_silent(NEAR_SILENCE_DB)  # or the jobs of the plan would find them known
    result, started = AnalysisResult(plan), time.monotonic()
    try:
        result.failed = update_active(sidecar, ingest.model.id, query, threads, log)
        analyse(sidecar, ingest, [job for job in plan.jobs if job not in result.failed], result, log, threads)
    except KeyboardInterrupt:
        log.warning("stopped; what was analysed is kept, run it again to go on")
        raise
    sidecar.store.state.set(LAST_RUN_KEY, time.time())
    result.seconds = time.monotonic() - started
    return result


def update_active(sidecar: Sidecar, wanted: str, query: list[str], threads: int | None, log: BeetsLogger) -> set[Job]:
    """While another model is in use, analyse with that one too: it serves until the wanted one is complete.

    Returns the jobs that failed.
    """
    active, models = sidecar.model, Models(sidecar)
    name = models.name_of(active.id) if active else None
    if active is None or active.id == wanted or name is None:
        return set()
    if not (jobs := plan_library(sidecar, active.id, query).jobs):
        return set()
    result = AnalysisResult()
    try:
        with open_ingest(models, name, threads) as ingest:
            analyse(sidecar, ingest, jobs, result, log, threads)
    except ModelError as error:
        log.warning("{}", error)
        return set()
    return result.failed


def analyse(
    sidecar: Sidecar,
    ingest: Ingest,
    jobs: list[Job],
    result: AnalysisResult,
    log: BeetsLogger,
    threads: int | None = None,
) -> None:
    """Do the jobs and add them up in `result`, with a line for each file that fails.

    A failed file's item is unlinked, unless the model in use has its embedding. Raises ClusterError, with what is kept,
    where a cluster does not go on.
    """
    tracks = sidecar.store.tracks.all(sidecar.id)
    bar = progress_bar(len(jobs), estimate_pace(sidecar, threads))
    with counting_kept(lambda: result.embedded + result.known), bar:
        for outcome in ingest.run(jobs, report=bar.update):
            if outcome.error is not None:
                result.failed.add(outcome.job)
                track = tracks.get(outcome.job.item_id)
                if track is not None and not is_searchable(sidecar, outcome.job, track):
                    sidecar.store.tracks.unlink(sidecar.id, [track.item_id])
                bar.clear()
                log.warning("not analysed: {}", outcome.error)
            else:
                result.embedded += outcome.embedded
                result.known += not outcome.embedded


def is_searchable(sidecar: Sidecar, job: Job, track: TrackRow) -> bool:
    """Return whether the model in use has the embedding of an item's file as it is, though another model failed."""
    state = file_state(os.fsencode(job.path))
    active = sidecar.model
    unchanged = (track.added, (track.size, track.mtime_ns)) == (job.added, state)
    return unchanged and active is not None and bool(sidecar.store.vectors.embedded([track.content_key], active.id))


def activate(sidecar: Sidecar, model: Model, missing: int) -> str:
    """Search with a model from now on, unless many tracks that can be found now could not be found any more.

    Returns the reason then. `missing` is the number of items without a file. Tracks that the model has no embedding of
    are unlinked.
    """
    active = sidecar.model
    if active is not None and active.id == model.id:
        return ""
    store, known = sidecar.store, sidecar.store.tracks.all(sidecar.id)
    keys = {track.content_key for track in known.values()}
    embedded = store.vectors.embedded(keys, model.id)
    searchable = store.vectors.embedded(keys, active.id) if active else set()
    unembedded = [item_id for item_id, track in known.items() if track.content_key not in embedded]
    lost = [item_id for item_id in unembedded if known[item_id].content_key in searchable]
    many = len(lost) > max(MASS_REMOVAL, len(known) / 100) or not embedded
    if lost and (many or not has_folders(sidecar.rows_by_id(lost))):
        where = "; mount the disk that they are on, or run `beet update` if they are gone for good" if missing else ""
        count = format_tracks(len(lost))
        return f"{model.name} {model.version} is not taken into use: it has not analysed {count}{where}"
    with store.write():
        # What is linked can be found, and these cannot.
        store.tracks.unlink(sidecar.id, unembedded)
        store.models.activate(model.id)
    return ""
