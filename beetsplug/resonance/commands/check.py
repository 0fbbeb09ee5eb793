"""beet resonance check: whether the collected data are sound, and mending them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.spawn import idle
from beetsplug.resonance.commands.common import tracks
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.library.sync import Plan, library_plan
from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resonance_engine.store import Model

SHOWN = 20  # problems of one kind
PARTICULARS = re.compile(r"\b[0-9a-f]{32}\b|\d+([.,]\d+)*")  # content keys and numbers
NOTHING_YET = "nothing is analysed yet, so there is nothing to check"


@dataclass
class CheckFindings:
    """What is wrong with the data that the models made, and with the index files; and what is to be analysed."""

    plan: Plan
    models: list[Model]
    problems: list[str] = field(default_factory=list)
    indexes: dict[Path, str] = field(default_factory=dict)

    @property
    def sentences(self) -> list[str]:
        left = f"{tracks(len(self.plan.gone))} in the data, no longer in the library."
        failed = f"{len(self.plan.stale):,} noted failures of files that are no longer in the library."
        return [
            *dict.fromkeys(self.problems),  # damage of the file itself comes up with each model
            *([left] if self.plan.gone else []),
            *([failed] if self.plan.stale else []),
            *self.indexes.values(),
        ]


def check(sidecar: Sidecar, repair: bool) -> None:
    """Print what is wrong with the collected data; raises UserError when something is, and is not mended."""
    from resonance_engine.store.errors import is_damage

    try:
        found = examined(sidecar)
        if found is None:
            ui.print_(NOTHING_YET)
            return
        report(sidecar, found, repair)
    except StoreError as error:
        if not (repair and is_damage(error)):
            raise
        ui.print_(str(error))
        save(sidecar)


def report(sidecar: Sidecar, found: CheckFindings, repair: bool) -> None:
    """Print the problems, and mend them where that is wanted."""
    problems = found.sentences
    for line in shortened(problems):
        ui.print_(line)
    if problems and repair:
        mend(sidecar, found)
    elif problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError(f"resonance: {count} found; run `beet resonance check --repair`")
    else:
        jobs, missing = found.plan.jobs, found.plan.missing
        waiting = f"; {tracks(len(jobs))} to analyse with `beet resonance analyze`" if jobs else ""
        away = f"; {tracks(missing)} without a file" if missing else ""
        ui.print_(f"no problems{waiting}{away}")


def shortened(problems: list[str]) -> Iterator[str]:
    """The problems, of those that differ in names and numbers only the first few and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(PARTICULARS.sub("", problem), []).append(problem)
    for alike in kinds.values():
        yield from alike[:SHOWN]
        if len(alike) > SHOWN:
            yield f"and {len(alike) - SHOWN:,} more of that kind"


def examined(sidecar: Sidecar) -> CheckFindings | None:
    """What is wrong with the data of the model in use and of one on its way; None before anything was analysed."""
    active, wanted = sidecar.model, sidecar.models.preparing
    if active is None:
        return None
    from resonance_engine.store.recovery.check import check_store, incomplete_recordings

    models, store = [active, *([wanted] if wanted else [])], sidecar.store
    found = CheckFindings(library_plan(sidecar, models[-1].id), models)
    for model in models:
        found.problems += check_store(store, model.id, partial=wanted is not None)
        found.problems += [
            f"Of recording {key.hex()}, {parts} by the model {model.name} lacks."
            for key, parts in incomplete_recordings(store, model.id).items()
        ]
        found.indexes |= dict(bad_indexes(sidecar, model))
    return found


def bad_indexes(sidecar: Sidecar, model: Model) -> Iterator[tuple[Path, str]]:
    """The index files of a model's embeddings and facets that do not say what the database says."""
    from resonance_engine.index.check import index_problem
    from resonance_engine.index.files import index_path
    from resonance_engine.store.errors import is_damage

    folder = sidecar.path.parent
    for kind in model.widths():
        try:
            problem = index_problem(sidecar.store, model.id, folder, kind)
        except StoreError as error:
            if is_damage(error):
                raise
            continue  # vectors of another width, which were told of above
        if problem:
            yield index_path(folder, model.id, kind), problem


def mend(sidecar: Sidecar, found: CheckFindings) -> None:
    """Repair what the models made; the last one is that which the library shall be analysed with."""
    from resonance_engine.store.recovery.repair import drop_incomplete, repair_store

    done, store = [], sidecar.store
    for model in found.models:
        done += repair_store(store, model.id)
        if count := drop_incomplete(store, model.id):
            done.append(f"{count:,} incomplete recordings by the model {model.name} were dropped; analyse them again.")
    if found.plan.gone or found.plan.stale:
        with store.write():
            store.tracks.unlink(sidecar.id, found.plan.gone)
            store.failures.clear(sidecar.id, *found.plan.stale)
    if found.plan.gone:
        done.append(f"{tracks(len(found.plan.gone))} forgotten that left the library.")
    if found.plan.stale:
        done.append(f"{len(found.plan.stale):,} failures forgotten of files that left the library.")
    for path in found.indexes:
        path.unlink(missing_ok=True)
        done.append(f"The index {printable(path)} was removed; the next search makes it again.")
    for line in done:
        ui.print_(line)
    to_analyse(sidecar, found.models[-1].id)


def save(sidecar: Sidecar) -> None:
    """Put what can be read of a damaged database into a new one."""
    from resonance_engine.store.recovery.salvage import salvage

    with idle(sidecar):
        sidecar.close()
        saved = salvage(sidecar.path)
    ui.print_(f"It was kept as {printable(saved.kept)}.")
    ui.print_(f"{saved.recordings:,} recordings and {tracks(saved.tracks)} were saved.")
    fresh = Sidecar(sidecar.library, sidecar.settings)
    try:
        found = examined(fresh)
        if found is None:
            ui.print_("Run `beet resonance analyze` for the whole library.")
        elif found.sentences:
            mend(fresh, found)
        else:
            to_analyse(fresh, found.models[-1].id)
    finally:
        fresh.close()


def to_analyse(sidecar: Sidecar, model_id: str) -> None:
    left = library_plan(sidecar, model_id).jobs
    if left:
        ui.print_(f"Run `beet resonance analyze` for {tracks(len(left))}.")
