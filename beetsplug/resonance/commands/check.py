"""beet resonance check: whether the collected data are sound, and mending them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import tracks
from beetsplug.resonance.sync import Plan, library_plan

if TYPE_CHECKING:
    from beetsplug.resonance.sidecar import Sidecar


def check(sidecar: Sidecar, repair: bool) -> None:
    """Print what is wrong with the collected data; raises UserError when something is, and is not mended."""
    model, wanted = sidecar.model, sidecar.models.preparing
    if model is None:
        ui.print_("nothing is analysed yet, so there is nothing to check")
        return
    model_ids = [model.id, *([wanted.id] if wanted else [])]
    made = library_plan(sidecar, model_ids[-1])
    problems = [line for each in model_ids for line in sidecar.store.check(each, partial=wanted is not None)]
    problems = list(dict.fromkeys(problems))  # damage of the file itself comes up twice
    if made.gone:
        problems.append(f"{tracks(len(made.gone))} in the data, no longer in the library.")
    for problem in problems:
        ui.print_(problem)
    if problems and repair:
        mend(sidecar, model_ids, made)
    elif problems:
        found = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError(f"resonance: {found} found; run `beet resonance check --repair`")
    else:
        waiting = f"; {tracks(len(made.jobs))} to analyse with `beet resonance analyze`" if made.jobs else ""
        ui.print_(f"no problems{waiting}")


def mend(sidecar: Sidecar, model_ids: list[str], made: Plan) -> None:
    """Repair what the models made; the last one is that which the library shall be analysed with."""
    done = [line for model_id in model_ids for line in sidecar.store.repair(model_id)]
    if made.gone:
        with sidecar.store.write():
            sidecar.store.unlink(sidecar.id, made.gone)
            sidecar.store.clear_failure(sidecar.id, *made.stale)
        done.append(f"{tracks(len(made.gone))} forgotten that left the library.")
    for line in done:
        ui.print_(line)
    left = library_plan(sidecar, model_ids[-1]).jobs
    if left:
        ui.print_(f"Run `beet resonance analyze` for {tracks(len(left))}.")
