"""beet resonance status, pause, resume, stop: how far the analysis is; control of that in the background."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import (
    WORKING,
    is_answered,
    is_starting,
    job_state_of,
    next_hour,
    request_work,
    start_worker,
)
from beetsplug.resonance.background.local_requests import LocalRequests, local_requests_of
from beetsplug.resonance.background.process_lock import BACKGROUND, is_analysing, lock_of
from beetsplug.resonance.commands.analyze import summary
from beetsplug.resonance.commands.common import format_size, format_time
from beetsplug.resonance.config.settings import SHIPPED
from beetsplug.resonance.library.analysis import LAST_RUN_KEY, AnalysisResult, find_settled
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.removal import explain_missing
from beetsplug.resonance.library.sidecar import (
    Coverage,
    describe_coverage,
    estimate_seconds,
    format_estimate,
    format_tracks,
)
from beetsplug.resonance.library.sync import Plan, plan_library, recognise
from resonance_engine.encoder.model_files import find_model_file
from resonance_engine.errors import ModelError, StoreError, printable
from resonance_engine.ingest import SPEED_KEY
from resonance_engine.store.errors import is_damage, is_unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beetsplug.resonance.background.job_state import JobProgress, JobRequests
    from beetsplug.resonance.background.process_lock import Holder
    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store import Failure, Model
    from resonance_engine.worker.worker import ModelDescription

SHOWN = 20  # files that failed
STOP_SECONDS = 60.0  # for the worker to exit
GOES_ON = "`beet resonance analyze` goes on"


def status(sidecar: Sidecar) -> None:
    """Print how many tracks are analysed, with which model, and which files failed."""
    if not sidecar.exists:
        coverage = sidecar.coverage()
        total = coverage.total
        lines = [("tracks", f"{total:,}"), ("analysed", "0"), ("database", f"{sidecar.store.name} (not made yet)")]
        print_table([*lines, *describe_wanted(sidecar, total)])
        advice = describe_coverage(sidecar, coverage) if total else "import some music with `beet import PATH`"
        ui.print_(sidecar.store.database.obstacle or advice)
        return
    model, store = sidecar.model, sidecar.store
    plan = recognise(sidecar, plan_library(sidecar, model.id if model else ""))
    untagged = count_untagged(sidecar, model.id, plan) if model else 0
    analysed, pending = plan.analysed + plan.away + untagged, len(plan.jobs) - untagged
    lines = [("tracks", f"{plan.total:,}"), ("analysed", f"{analysed:,}"), ("not yet", f"{pending:,}")]
    if plan.changed:
        hint = "of those, found as they were before they changed; `beet resonance analyze` takes that up"
        lines += [("changed", f"{len(plan.changed):,} {hint}")]
    if untagged:
        time_left = format_estimate(estimate_seconds(sidecar, untagged))
        hint = f"found by sound but not by words; run `beet resonance analyze` (about {time_left})"
        lines += [("without tags", f"{untagged:,}, {hint}")]
    lines += [("failed", f"{len(plan.failed):,}")]
    if copies := store.tracks.count_copies(sidecar.id):
        text = f"{copies:,} of the analysed, which lists, `map` and `eval` count once with their originals"
        lines += [("copies", text)]
    lines += [("without a file", f"{plan.missing:,}")] if plan.missing else []
    lines += [("model", f"{model.name} {model.version} ({model.id})" if model else "none used yet")]
    background = background_status(sidecar)
    lines += describe_wanted(sidecar, plan.total)
    lines += [("background", background)] if background else []
    lines += [("database", f"{store.name} ({format_size(store.database.size)})")]
    lines += describe_index(sidecar, model) if model else []
    last, speed = store.state.get(LAST_RUN_KEY, float), store.state.get(SPEED_KEY, float)
    lines += [("last analysis", format_time(last))] if last else []
    lines += [("time per track", f"{speed:.2f} s")] if speed else []
    print_table(lines)
    for line in format_failures(plan.failed):
        ui.print_(line)
    if plan.missing and plan.missing == plan.total:
        ui.print_(f"no file is there; {explain_missing(sidecar)}")
    if pending and not is_analysing(sidecar):
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


def describe_wanted(sidecar: Sidecar, total: int) -> list[tuple[str, str]]:
    """Return a line on the wanted model where another one is in use, or why it cannot be used.

    It is loaded for that only where its file is not the one that was loaded last.
    """
    models, active = Models(sidecar), sidecar.model
    if models.wanted == SHIPPED and active is None:
        return []
    try:
        find_model_file(models.path(models.wanted))
        if models.known_id(models.wanted) is not None and models.preparing is None:
            return []
        model = models.preparing if models.known_id(models.wanted) is not None else load_description(models)
    except ModelError as error:
        return [("preparing" if models.preparing else "wanted model", str(error))]
    if model is None or active is None or model.id == active.id:
        return []
    embedded = sidecar.store.tracks.counts(sidecar.id, model.id).embedded
    share = f"{embedded:,} of {format_tracks(total)} embedded"
    goes_on = "`beet resonance analyze` goes on, the model above serves until then"
    return [("preparing", f"{model.name} {model.version} ({model.id}), {share}; {goes_on}")]


def describe_index(sidecar: Sidecar, model: Model) -> list[tuple[str, str]]:
    """Return a line on how the nearest tracks are searched; none before the first search."""
    from resonance_engine.index.files import index_path, read_method

    path = index_path(sidecar.index_folder, model.id)
    method = read_method(path)
    return [("index", f"{method.describe()} ({format_size(path.stat().st_size)})")] if method else []


def load_description(models: Models) -> ModelDescription:
    """Load the wanted model, and return what it is."""
    with closing(models.open_pool(models.wanted)) as pool:
        return pool.description()


def print_table(lines: list[tuple[str, str]]) -> None:
    for name, value in lines:
        ui.print_(f"{name + ':':<16}{value}")


def start(sidecar: Sidecar) -> None:
    """Analyse what is pending in the background, if anything is."""
    if not sidecar.coverage().total:
        raise no_match(sidecar.library, "resonance", [])
    plan = find_settled(sidecar, [])
    ui.print_(request_analysis(sidecar) if plan is None else summary(AnalysisResult(plan)))


def request_analysis(sidecar: Sidecar) -> str:
    """Request the background analysis, and return when it begins."""
    holder = lock_of(sidecar).holder()
    if not request_work(sidecar):
        return "the background analysis is paused; `beet resonance resume` starts it"
    if holder is not None and holder.kind != BACKGROUND:
        return f"`beet resonance` itself is analysing{holder}; the background does what is left after it"
    begin = next_hour(sidecar.settings)
    begins = f"the background analysis begins at {begin}" if begin else "analysing in the background"
    return f"{begins}; `beet resonance status` says how far it is"


def pause(sidecar: Sidecar) -> None:
    """Suspend the background analysis until it is resumed, also for imports to come."""
    with noting_locally(sidecar, LocalRequests.pause):
        job_state_of(sidecar).pause(True)
    ui.print_("the background analysis is paused; `beet resonance resume` goes on")


@contextmanager
def noting_locally(sidecar: Sidecar, note: Callable[[LocalRequests], None]) -> Iterator[None]:
    """Note beside the library what cannot be stored while the server of a shared sidecar does not answer."""
    try:
        yield
    except StoreError as error:
        local = local_requests_of(sidecar)
        if local is None or is_unwritable(error) or is_damage(error):
            raise
        note(local)
        ui.print_(f"noted in {printable(local.path)} until the database answers: {error}")


def resume(sidecar: Sidecar) -> None:
    """Let the background go on, and start it where something is pending."""
    job_state = job_state_of(sidecar)
    was_paused = job_state.requests.paused
    job_state.pause(False)
    holder = lock_of(sidecar).holder()
    if holder is not None and holder.kind == BACKGROUND:
        ui.print_("the background analysis goes on")
    elif job_state.requests.open:
        start_worker(sidecar)
        ui.print_("the background analysis goes on")
    elif (plan := find_settled(sidecar, [])) is None and sidecar.coverage().total:
        ui.print_(request_analysis(sidecar))
    else:
        state = "is no longer paused" if was_paused else "was not paused"
        left = ", failed or without a file" if plan is not None and plan.missing else " or failed"
        ui.print_(f"the background analysis {state}, and has nothing to do: every track is analysed{left}")


def stop(sidecar: Sidecar) -> None:
    """End the background analysis; its results so far are kept."""
    lock = lock_of(sidecar)
    was_requested = was_running = False
    with noting_locally(sidecar, LocalRequests.stop):
        job_state = job_state_of(sidecar)
        was_requested = job_state.requests.open
        job_state.stop()
    deadline = time.monotonic() + STOP_SECONDS
    while (holder := lock.holder()) is not None and holder.kind == BACKGROUND:
        was_running = True
        if time.monotonic() > deadline:
            raise UserError(f"resonance: the background analysis{holder} was told to stop and has not yet")
        time.sleep(0.1)
    if was_running or was_requested:
        ui.print_("the background analysis is stopped; `beet resonance analyze` goes on")
    else:
        ui.print_("no background analysis is running")


def background_status(sidecar: Sidecar) -> str:
    """Return the state of the background analysis in a line; empty where it was never requested."""
    job_state = job_state_of(sidecar)
    progress = job_state.progress
    left = time_left(sidecar, progress) if progress else ""
    return describe_background(job_state.requests, progress, lock_of(sidecar).holder(), time.time(), left)


def time_left(sidecar: Sidecar, progress: JobProgress) -> str:
    """Return about how long the running background analysis still takes."""
    seconds = estimate_seconds(sidecar, progress.total - progress.done)
    return format_estimate(seconds * 100 / sidecar.settings.pace) if seconds > 0 else ""


def describe_background(
    requests: JobRequests, progress: JobProgress | None, holder: Holder | None, now: float, time_left: str
) -> str:
    """Return the state of the background analysis as a clause, empty where it was never requested."""
    if holder is not None and holder.kind != BACKGROUND:
        return f"`beet resonance` itself is analysing{holder}"
    if holder is not None and progress is not None and progress.pid == holder.pid:
        return describe_running(requests, progress, time_left)
    if requests.open and requests.paused:
        return "paused; `beet resonance resume` goes on"
    if holder is not None or is_starting(requests, progress, now):
        return "starting"
    return describe_last(requests, progress)


def describe_running(requests: JobRequests, progress: JobProgress, time_left: str) -> str:
    done = f"{progress.done:,} of {format_tracks(progress.total)}" if progress.total else ""
    if requests.paused or progress.activity == "paused":
        return f"paused{done and f' at {done}'} (pid {progress.pid}); `beet resonance resume` goes on"
    left = f", about {time_left} left" if time_left and done and progress.activity == WORKING else ""
    return f"{progress.activity}{done and f'; {done}'} since {format_time(progress.started)}{left} (pid {progress.pid})"


def describe_last(requests: JobRequests, progress: JobProgress | None) -> str:
    """Return the outcome of the last worker; none is running."""
    paused = "paused for new imports; `beet resonance resume` ends that" if requests.paused else ""
    if progress is None or (progress.ended is not None and requests.open and not is_answered(progress, requests)):
        return paused or (f"did not start; {GOES_ON}" if requests.open else "")
    if progress.ended is None:
        return f"ended before it was done, at {progress.done:,} of {format_tracks(progress.total)}; {GOES_ON}"
    last = f"ended {format_time(progress.ended)}, {progress.message or f'{format_tracks(progress.done)} done'}"
    return f"{paused}; {last}" if paused else last
