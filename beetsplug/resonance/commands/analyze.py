"""beet resonance analyze: analyse what is new or has changed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from beets import ui

from beetsplug.resonance.background.exclusive import exclusive_analysis
from beetsplug.resonance.commands.model_change import print_change
from beetsplug.resonance.library.analysis import AnalysisResult, activate, find_settled, note_run, open_ingest, update
from beetsplug.resonance.library.item_query import no_match
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import estimate_seconds, format_duration, format_tracks
from beetsplug.resonance.library.sync import plan_library

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.ingest import Ingest


def analyze(sidecar: Sidecar, query: list[str], threads: int | None, pretend: bool, log: BeetsLogger) -> None:
    """Bring the store up to date with the library, or with the tracks that a query matches."""
    if not sidecar.rows(query):
        raise no_match("resonance", query)
    if pretend:
        print_plan(sidecar, query, threads)
        return
    with exclusive_analysis(sidecar, not query, log):
        plan = find_settled(sidecar, query)
        if plan is not None:
            note_run(sidecar)
            ui.print_(summary(AnalysisResult(plan)))
            return
        with open_ingest(sidecar, Models(sidecar).wanted, threads) as ingest:
            run_update(sidecar, ingest, query, threads, log)


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
    model_id = models.known_id(models.wanted)
    if model_id is None:
        with closing(models.open_pool(models.wanted)) as pool:
            model_id = pool.description().id
    plan = plan_library(sidecar, model_id, query)
    for job in plan.jobs:
        ui.print_(str(job.path))
    count = len(plan.jobs)
    duration = f" in about {format_duration(estimate_seconds(sidecar, count, threads))}" if count else ""
    ui.print_(f"would analyse {format_tracks(count)}{duration} and forget {len(plan.gone):,}")
