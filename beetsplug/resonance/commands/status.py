"""beet resonance status: how far the library is analysed, with what, and what failed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from beets import ui

from beetsplug.resonance.background.spawn import lock_of
from beetsplug.resonance.commands.analyze import LAST_RUN_KEY
from beetsplug.resonance.commands.background import state
from beetsplug.resonance.commands.common import duration, remaining, seconds_per_track, tracks
from beetsplug.resonance.library.sync import Plan, library_plan, music_folder
from resonance_engine.errors import ModelError, printable
from resonance_engine.ingest import SPEED_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.store import Failure

SHOWN = 20  # files that failed


def status(sidecar: Sidecar) -> None:
    """Print how many tracks are analysed, with what, and which files failed."""
    if not sidecar.exists:
        total = sidecar.coverage().total
        table([("tracks", f"{total:,}"), ("analysed", "0"), ("database", f"{sidecar.path} (not made yet)")])
        ui.print_(remaining(sidecar, total, 0, total) if total else "import some music with `beet import PATH`")
        return
    model, store = sidecar.model, sidecar.store
    made = library_plan(sidecar, model.id if model else "")
    untold = untagged(sidecar, model.id, made) if model else 0
    analysed, waiting = made.analysed + made.away + untold, len(made.jobs) - untold
    lines = [("tracks", f"{made.total:,}"), ("analysed", f"{analysed:,}"), ("not yet", f"{waiting:,}")]
    lines += [("without tags", without_tags(sidecar, untold))] if untold else []
    lines += [("failed", f"{len(made.failed):,}")]
    lines += [("without a file", f"{made.missing:,}")] if made.missing else []
    lines += [("model", f"{model.name} {model.version} ({model.id})" if model else "none used yet")]
    lines += [("preparing", being_prepared(sidecar))] if being_prepared(sidecar) else []
    background = state(sidecar)
    lines += [("background", background)] if background else []
    lines += [("database", f"{sidecar.path} ({size(sidecar.path.stat().st_size)})")]
    last, speed = store.state.get(LAST_RUN_KEY, float), store.state.get(SPEED_KEY, float)
    lines += [("last analysis", f"{datetime.fromtimestamp(last):%Y-%m-%d %H:%M}")] if last else []
    lines += [("time per track", f"{speed:.2f} s")] if speed else []
    table(lines)
    for line in told(made.failed):
        ui.print_(line)
    if made.missing and made.missing == made.total:
        ui.print_(f"no file is there; is {music_folder(sidecar)} mounted?")
    if waiting and lock_of(sidecar).holder() is None:  # nobody is at it
        ui.print_(remaining(sidecar, made.total, analysed, waiting))


def told(failed: list[Failure]) -> Iterator[str]:
    """A line for each of the first files that failed, and how many more there are."""
    for failure in failed[:SHOWN]:
        yield f"not analysed: {printable(failure.path)}: {failure.reason}"
    if len(failed) > SHOWN:
        yield f"and {len(failed) - SHOWN:,} more; `beet resonance failures` lists them"


def untagged(sidecar: Sidecar, model_id: str, made: Plan) -> int:
    """How many tracks are to be listened to again for their tags alone."""
    store = sidecar.store
    if not store.tags.count_missing(model_id):
        return 0
    known = store.tracks.all(sidecar.id)
    keys = [known[job.item_id].content_key for job in made.jobs if job.item_id in known]
    lacking = store.vectors.embedded(keys, model_id) - store.vectors.complete(keys, model_id)
    return sum(key in lacking for key in keys)


def without_tags(sidecar: Sidecar, count: int) -> str:
    time = duration(count * seconds_per_track(sidecar) / sidecar.settings.workers())
    return f"{count:,}, found by sound but not by words; run `beet resonance analyze` (about {time})"


def being_prepared(sidecar: Sidecar) -> str:
    """How far the wanted model is while another one is in use, empty where that is not so."""
    model, models = sidecar.models.preparing, sidecar.models
    if model is None:
        return ""
    heard = sidecar.store.tracks.counts(sidecar.id, model.id).embedded
    try:
        models.path(models.wanted)
    except ModelError as error:
        return str(error)
    return (
        f"{model.name} {model.version} ({model.id}), {tracks(heard)} embedded; "
        "`beet resonance analyze` goes on, the model above serves until then"
    )


def table(lines: list[tuple[str, str]]) -> None:
    for name, value in lines:
        ui.print_(f"{name + ':':<16}{value}")


def size(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
