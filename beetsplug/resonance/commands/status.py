"""beet resonance status: print how much of the library is analysed, with which model, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui

from beetsplug.resonance.background.process_lock import lock_of
from beetsplug.resonance.commands.background import background_status
from beetsplug.resonance.commands.common import format_size, format_time
from beetsplug.resonance.library.analysis import LAST_RUN_KEY
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import (
    Coverage,
    describe_coverage,
    estimate_seconds,
    format_duration,
    format_tracks,
)
from beetsplug.resonance.library.sync import Plan, music_folder, plan_library
from resonance_engine.errors import ModelError, printable
from resonance_engine.ingest import SPEED_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store import Failure

SHOWN = 20  # files that failed


def status(sidecar: Sidecar) -> None:
    """Print how many tracks are analysed, with which model, and which files failed."""
    if not sidecar.exists:
        coverage = sidecar.coverage()
        total = coverage.total
        print_table([("tracks", f"{total:,}"), ("analysed", "0"), ("database", f"{sidecar.path} (not made yet)")])
        ui.print_(describe_coverage(sidecar, coverage) if total else "import some music with `beet import PATH`")
        return
    model, store = sidecar.model, sidecar.store
    plan = plan_library(sidecar, model.id if model else "")
    untagged = count_untagged(sidecar, model.id, plan) if model else 0
    analysed, pending = plan.analysed + plan.away + untagged, len(plan.jobs) - untagged
    lines = [("tracks", f"{plan.total:,}"), ("analysed", f"{analysed:,}"), ("not yet", f"{pending:,}")]
    lines += [("without tags", describe_untagged(sidecar, untagged))] if untagged else []
    lines += [("failed", f"{len(plan.failed):,}")]
    lines += [("without a file", f"{plan.missing:,}")] if plan.missing else []
    lines += [("model", f"{model.name} {model.version} ({model.id})" if model else "none used yet")]
    preparing, background = describe_preparing(sidecar), background_status(sidecar)
    lines += [("preparing", preparing)] if preparing else []
    lines += [("background", background)] if background else []
    lines += [("database", f"{sidecar.path} ({format_size(sidecar.path.stat().st_size)})")]
    last, speed = store.state.get(LAST_RUN_KEY, float), store.state.get(SPEED_KEY, float)
    lines += [("last analysis", format_time(last))] if last else []
    lines += [("time per track", f"{speed:.2f} s")] if speed else []
    print_table(lines)
    for line in format_failures(plan.failed):
        ui.print_(line)
    if plan.missing and plan.missing == plan.total:
        ui.print_(f"no file is there; is {music_folder(sidecar)} mounted?")
    if pending and lock_of(sidecar).holder() is None:  # no analysis is running
        ui.print_(describe_coverage(sidecar, Coverage(plan.total, analysed, plan.total - analysed - pending)))


def format_failures(failed: list[Failure]) -> Iterator[str]:
    """Yield a line for each of the first files that failed, and the count of the rest."""
    for failure in failed[:SHOWN]:
        yield f"not analysed: {printable(failure.path)}: {failure.reason}"
    if len(failed) > SHOWN:
        yield f"and {len(failed) - SHOWN:,} more; `beet resonance failures` lists them"


def count_untagged(sidecar: Sidecar, model_id: str, plan: Plan) -> int:
    """Count the tracks that are to be analysed again for their tags alone."""
    store = sidecar.store
    if not store.tags.count_missing(model_id):
        return 0
    known = store.tracks.all(sidecar.id)
    keys = [known[job.item_id].content_key for job in plan.jobs if job.item_id in known]
    lacking = store.vectors.embedded(keys, model_id) - store.vectors.complete(keys, model_id)
    return sum(key in lacking for key in keys)


def describe_untagged(sidecar: Sidecar, count: int) -> str:
    time = format_duration(estimate_seconds(sidecar, count))
    return f"{count:,}, found by sound but not by words; run `beet resonance analyze` (about {time})"


def describe_preparing(sidecar: Sidecar) -> str:
    """Return the progress of the wanted model while another one is in use, empty where none is prepared."""
    models = Models(sidecar)
    model = models.preparing
    if model is None:
        return ""
    embedded = sidecar.store.tracks.counts(sidecar.id, model.id).embedded
    try:
        models.path(models.wanted)
    except ModelError as error:
        return str(error)
    return (
        f"{model.name} {model.version} ({model.id}), {format_tracks(embedded)} embedded; "
        "`beet resonance analyze` goes on, the model above serves until then"
    )


def print_table(lines: list[tuple[str, str]]) -> None:
    for name, value in lines:
        ui.print_(f"{name + ':':<16}{value}")
