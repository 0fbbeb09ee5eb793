"""beet resonance analyze, failures: analyse what is new or has changed, list what failed or try it again."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import exclusive_analysis
from beetsplug.resonance.commands.common import format_time
from beetsplug.resonance.library.analysis import (
    LAST_RUN_KEY,
    AnalysisResult,
    activate,
    analyse,
    find_settled,
    open_ingest,
    update,
)
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import estimate_seconds, format_duration, format_estimate, format_tracks
from beetsplug.resonance.library.sync import plan_library, recognise
from resonance_engine.audio.music_files import is_system_folder
from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.ingest import Ingest
    from resonance_engine.store import Model


def analyze(sidecar: Sidecar, query: list[str], threads: int | None, pretend: bool, log: BeetsLogger) -> None:
    """Bring the store up to date with the library, or with the tracks that a query matches."""
    rows = sidecar.rows(query)
    if not rows:
        raise no_match(sidecar.library, "resonance", query)
    if pretend:
        print_plan(sidecar, query, threads)
        return
    with exclusive_analysis(sidecar, not query, log):
        plan = find_settled(sidecar, query)
        if plan is not None:
            sidecar.store.state.set(LAST_RUN_KEY, time.time())
            ui.print_(summary(AnalysisResult(plan)))
        else:
            models = Models(sidecar)
            with open_ingest(models, models.wanted, threads) as ingest:
                run_update(sidecar, ingest, query, threads, log)
    if line := describe_system_folders([row.path for row in rows]):
        ui.print_(line)


def describe_system_folders(paths: Sequence[bytes]) -> str:
    """Return a line that counts the files in trash and system folders, which beets imports like others; empty for none.

    Folders above all of the files say nothing.
    """
    top = len(os.path.commonpath(paths))
    folders = (os.fsdecode(path[top:]).split("/")[:-1] for path in paths)
    places = Counter(name for parts in folders if (name := next(filter(is_system_folder, parts), None)))
    if not places:
        return ""
    names = ", ".join(sorted(places))
    return (
        f"{format_tracks(places.total())} of the library in trash and system folders: {printable(names)}; "
        "with these names in its setting `ignore`, beets imports none of them"
    )


def run_update(sidecar: Sidecar, ingest: Ingest, query: list[str], threads: int | None, log: BeetsLogger) -> None:
    """Analyse with the wanted model, take it into use after the whole library, and print what came of both."""
    result = update(sidecar, ingest, query, threads, log)
    if result.plan.total:
        ui.print_(summary(result))
    if not query:
        model, old = ingest.model, sidecar.model
        if refusal := activate(sidecar, model, result.plan.missing):
            ui.print_(refusal)
        elif old is not None and old.id != model.id:
            print_change(sidecar, old, model)
    result.verify()


def summary(result: AnalysisResult) -> str:
    """Return the outcome of an analysis in one line."""
    plan, failed = result.plan, len(result.failed)
    if not plan.jobs and not plan.failed and not plan.missing:
        return f"nothing to do: {'the track is' if plan.total == 1 else f'all {plan.total:,} tracks are'} analysed"
    analysed = f"{format_tracks(result.embedded)} analysed in {format_duration(result.seconds)}"
    parts = [analysed if plan.jobs else "nothing new to analyse"]
    parts += [f"{result.known:,} recognised as known"] if result.known else []
    parts += [f"{failed:,} failed"] if failed else []
    parts += [f"{len(plan.failed):,} left out that failed before"] if plan.failed else []
    parts += [f"{plan.missing:,} without a file"] if plan.missing else []
    return ", ".join(parts)


def print_plan(sidecar: Sidecar, query: list[str], threads: int | None) -> None:
    """Print what an analysis would do, and change nothing."""
    models = Models(sidecar)
    model_id = models.identify(models.wanted)
    plan = recognise(sidecar, plan_library(sidecar, model_id, query))
    for job in plan.jobs:
        ui.print_(str(job.path))
    count = len(plan.jobs)
    duration = f" in about {format_estimate(estimate_seconds(sidecar, count, threads))}" if count else ""
    known = f", recognise {len(plan.recognised):,}" if plan.recognised else ""
    ui.print_(f"would analyse {format_tracks(count)}{duration}{known} and forget {len(plan.gone):,}")


def print_change(sidecar: Sidecar, old: Model, model: Model) -> None:
    """Print that a model took the place of another, how many neighbours a track keeps, and how to go back."""
    from resonance_engine.index.files import open_index
    from resonance_engine.search.vector_sets import neighbour_overlap

    models = Models(sidecar)
    ui.print_(f"{models.label(model)} is in use now")
    store, folder, parts = sidecar.store, sidecar.index_folder, []
    with suppress(StoreError):  # the old model's vectors are damaged; the new one is in use all the same
        with store.read():
            before, after = (store.tracks.linked_embeddings(sidecar.id, owner.id) for owner in (old, model))
        same = {before[key]: after[key] for key in before.keys() & after.keys()}
        setting = sidecar.settings.index
        one, other = (open_index(store, each.id, folder, setting=setting) for each in (old, model))
        overlap = neighbour_overlap(one, other, same)
        parts += [f"{overlap.kept:.0f} of {overlap.of} neighbours kept on average"] if overlap else []
    name = models.name_of(old.id) or ""
    if name in models.names():
        first = "without `model:` in the configuration, " if models.configured else ""
        parts += [f"{first}`beet resonance model use {printable(name)}` goes back"]
    if parts:
        ui.print_("; ".join(parts))


def failures(sidecar: Sidecar, query: list[str], again: bool, threads: int | None, log: BeetsLogger) -> None:
    """Print the files that failed, or analyse them once more."""
    rows = sidecar.rows(query)
    if query and not rows:
        raise no_match(sidecar.library, "resonance", query)
    known = sidecar.store.failures.all(sidecar.id) if sidecar.exists else {}
    failed = [row for row in rows if row.path in known]
    if not failed:
        ui.print_("no file failed")
    elif again:
        retry(sidecar, failed, threads, log)
    else:
        for path in dict.fromkeys(row.path for row in failed):
            failure = known[path]
            tried = "once" if failure.tries == 1 else f"{failure.tries:,} times"
            last = format_time(failure.last_tried)
            ui.print_(f"{printable(path)}: {failure.reason} (tried {tried}, last {last})")


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
        models = Models(sidecar)
        for name in models.required:
            with open_ingest(models, name, threads) as ingest:
                analyse(sidecar, ingest, [job for job in present if job not in result.failed], result, log, threads)
    done = len(present) - len(result.failed)
    text = f"{format_tracks(done)} analysed in {format_duration(time.monotonic() - started)}"
    ui.print_(f"{text}, {len(result.failed):,} failed again" if result.failed else text)
    if not done:
        raise UserError("resonance: nothing could be analysed; `beet resonance failures` says why")
