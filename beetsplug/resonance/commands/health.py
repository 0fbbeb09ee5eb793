"""beet resonance status and beet resonance check: how the collected data stand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.analyze import LAST_RUN_KEY
from beetsplug.resonance.commands.common import remaining, tracks
from beetsplug.resonance.sync import Plan, library_plan, music_folder
from resonance_engine.errors import printable
from resonance_engine.ingest import SPEED_KEY

if TYPE_CHECKING:
    from beetsplug.resonance.sidecar import Sidecar


def status(sidecar: Sidecar) -> None:
    """Print how many tracks are analysed, with what, and which files failed."""
    if not sidecar.exists:
        total = sidecar.coverage().total
        table([("tracks", f"{total:,}"), ("analysed", "0"), ("database", f"{sidecar.path} (not made yet)")])
        ui.print_(remaining(sidecar, total, 0, total) if total else "import some music with `beet import PATH`")
        return
    model, store = sidecar.model, sidecar.store
    made = library_plan(sidecar, model.id if model else "")
    lines = [("tracks", f"{made.total:,}"), ("analysed", f"{made.analysed:,}"), ("not yet", f"{len(made.jobs):,}")]
    lines += [("failed", f"{len(made.failed):,}")]
    lines += [("without a file", f"{made.missing:,}")] if made.missing else []
    lines += [("model", f"{model.name} {model.version} ({model.id})" if model else "none used yet")]
    lines += [("database", f"{sidecar.path} ({size(sidecar.path.stat().st_size)})")]
    last, speed = store.state(LAST_RUN_KEY), store.state(SPEED_KEY)
    lines += [("last analysis", f"{datetime.fromtimestamp(last):%Y-%m-%d %H:%M}")] if last else []
    lines += [("time per track", f"{speed:.2f} s")] if speed else []
    table(lines)
    for failure in made.failed:
        ui.print_(f"not analysed: {printable(failure.path)}: {failure.reason}")
    if made.missing and made.missing == made.total:
        ui.print_(f"no file is there; is {music_folder(sidecar)} mounted?")
    if made.jobs:
        ui.print_(remaining(sidecar, made.total, made.analysed, len(made.jobs)))


def check(sidecar: Sidecar, repair: bool) -> None:
    """Print what is wrong with the collected data; raises UserError when something is, and is not mended."""
    model = sidecar.model
    if model is None:
        ui.print_("nothing is analysed yet, so there is nothing to check")
        return
    made = library_plan(sidecar, model.id)
    problems = sidecar.store.check(model.id)
    if made.gone:
        problems.append(f"{tracks(len(made.gone))} in the data, no longer in the library.")
    for problem in problems:
        ui.print_(problem)
    if problems and repair:
        mend(sidecar, model.id, made)
    elif problems:
        found = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError(f"resonance: {found} found; run `beet resonance check --repair`")
    else:
        waiting = f"; {tracks(len(made.jobs))} to analyse with `beet resonance analyze`" if made.jobs else ""
        ui.print_(f"no problems{waiting}")


def mend(sidecar: Sidecar, model_id: str, made: Plan) -> None:
    done = sidecar.store.repair(model_id)
    if made.gone:
        with sidecar.store.write():
            sidecar.store.unlink(sidecar.id, made.gone)
            sidecar.store.clear_failure(sidecar.id, *made.stale)
        done.append(f"{tracks(len(made.gone))} forgotten that left the library.")
    for line in done:
        ui.print_(line)
    left = library_plan(sidecar, model_id).jobs
    if left:
        ui.print_(f"Run `beet resonance analyze` for {tracks(len(left))}.")


def table(lines: list[tuple[str, str]]) -> None:
    for name, value in lines:
        ui.print_(f"{name + ':':<16}{value}")


def size(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
