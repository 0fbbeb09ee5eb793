"""beet resonance check and prune: verify the collected data, repair them, and drop what no library needs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import block_analysis
from beetsplug.resonance.commands.common import format_size
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.removal import can_forget, explain_missing, forget, is_music_present
from beetsplug.resonance.library.sidecar import Sidecar, format_tracks
from beetsplug.resonance.library.sync import Plan, plan_library, recognise
from resonance_engine.errors import StoreError, format_count, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resonance_engine.store import Model

INDEX_SUFFIX = ".index"
DAY = 24 * 3600.0
# Temporary names of `resonance_engine.files` and of copies of the database, left behind by killed commands.
LEFT_OVER = re.compile(r"\.resonance-.*\.[0-9a-f]{16}|resonance\.db(\.v\d+\.bak)?\.part(-wal|-shm|-journal)?")
SHOWN = 20  # problems of one kind
PARTICULARS = re.compile(r"\b[0-9a-f]{32}\b|\d+([.,]\d+)*")  # content keys and numbers
ADVICE = re.compile(r"; (run )?`beet resonance check --repair`.*")  # which is being followed
NOTHING_YET = "nothing is analysed yet, so there is nothing to check"


@dataclass
class CheckFindings:
    """Problems of the data by `models` and of index files by path, and the `plan` of what is to be analysed.

    `unembedded` are those that no repair mends, but an analysis.
    """

    plan: Plan
    models: list[Model]
    problems: list[str] = field(default_factory=list)
    indexes: dict[Path, str] = field(default_factory=dict)
    unembedded: list[str] = field(default_factory=list)

    @property
    def repairable(self) -> list[str]:
        left = f"{format_tracks(len(self.plan.gone))} in the data, no longer in the library."
        failed = f"{len(self.plan.stale):,} noted failures of files that are no longer in the library."
        return [
            *dict.fromkeys(self.problems),  # damage of the file itself comes up with each model
            *([left] if self.plan.gone else []),
            *([failed] if self.plan.stale else []),
            *self.indexes.values(),
        ]


def check(sidecar: Sidecar, repair: bool) -> None:
    """Print the problems of the collected data; raises UserError when there are any and they are not repaired."""
    from resonance_engine.store.errors import is_damage

    try:
        findings = find_problems(sidecar)
        if findings is None:
            ui.print_(NOTHING_YET)
            return
        report(sidecar, findings, repair)
    except StoreError as error:
        if not (repair and is_damage(error)):
            raise
        ui.print_(ADVICE.sub(".", str(error)))
        if sidecar.settings.sidecar:
            mend_shared(sidecar)
        else:
            salvage_database(sidecar)


def report(sidecar: Sidecar, findings: CheckFindings, repair: bool) -> None:
    """Print the problems, and repair them if requested."""
    problems = [*findings.repairable, *findings.unembedded]
    for line in shorten(problems):
        ui.print_(line)
    if problems and repair:
        repair_all(sidecar, findings)
    elif problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        remedy = "check --repair" if findings.repairable else "analyze"
        raise UserError(f"resonance: {count} found; run `beet resonance {remedy}`")
    else:
        jobs, missing = findings.plan.jobs, findings.plan.missing
        waiting = f"; {format_tracks(len(jobs))} to analyse with `beet resonance analyze`" if jobs else ""
        away = f"; {format_tracks(missing)} without a file" if missing else ""
        ui.print_(f"no problems{waiting}{away}")


def shorten(problems: list[str]) -> Iterator[str]:
    """Yield the problems; of those that differ only in names and numbers, the first few and the count of the rest."""
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(PARTICULARS.sub("", problem), []).append(problem)
    for alike in kinds.values():
        yield from alike[:SHOWN]
        if len(alike) > SHOWN:
            yield f"and {len(alike) - SHOWN:,} more of that kind"


def find_problems(sidecar: Sidecar) -> CheckFindings | None:
    """Check the data of the model in use and of one being prepared; None before anything was analysed."""
    active, wanted = sidecar.model, Models(sidecar).preparing
    if active is None:
        return None
    from resonance_engine.store.recovery.check import check_store, describe_unembedded, incomplete_recordings

    models, store = [active, *([wanted] if wanted else [])], sidecar.store
    findings = CheckFindings(recognise(sidecar, plan_library(sidecar, models[-1].id)), models)
    for model in models:
        findings.problems += check_store(store, model.id, partial=True)
        findings.problems += [
            f"Of recording {key.hex()}, {parts} by the model {model.name} lacks."
            for key, parts in incomplete_recordings(store, model.id).items()
        ]
        findings.indexes |= dict(find_bad_indexes(sidecar, model))
    if wanted is None:
        findings.unembedded = describe_unembedded(store, active.id)
    return findings


def find_bad_indexes(sidecar: Sidecar, model: Model) -> Iterator[tuple[Path, str]]:
    """Yield the index files of a model's embeddings and facets that differ from the database, with the problem."""
    from resonance_engine.index.check import index_problem
    from resonance_engine.index.files import index_path
    from resonance_engine.store.errors import is_damage

    folder = sidecar.index_folder
    for kind in model.widths():
        try:
            problem = index_problem(sidecar.store, model.id, folder, kind)
        except StoreError as error:
            if is_damage(error):
                raise
            continue  # vectors of another width, which are among the problems already
        if problem:
            yield index_path(folder, model.id, kind), problem


def repair_all(sidecar: Sidecar, findings: CheckFindings) -> None:
    """Repair the data of the models, of which the last is the wanted one, and print what was done."""
    from resonance_engine.store.recovery.repair import drop_incomplete, repair_store

    done, store = [], sidecar.store
    for model in findings.models:
        done += repair_store(store, model.id)
        if count := drop_incomplete(store, model.id):
            done.append(f"{count:,} incomplete recordings by the model {model.name} were dropped; analyse them again.")
    forget(sidecar, findings.plan)
    if findings.plan.gone:
        done.append(f"{format_tracks(len(findings.plan.gone))} forgotten that left the library.")
    if findings.plan.stale:
        done.append(f"{len(findings.plan.stale):,} failures forgotten of files that left the library.")
    for path in findings.indexes:
        path.unlink(missing_ok=True)
        done.append(f"The index {printable(path)} was removed; the next search makes it again.")
    for line in done:
        ui.print_(line)
    print_pending(sidecar, findings.models[-1].id)


def mend_shared(sidecar: Sidecar) -> None:
    """Drop the notes of a shared store that cannot be read, and repair the rest; the server keeps the tables sound."""
    from resonance_engine.store.recovery.repair import drop_notes

    count = drop_notes(sidecar.store)
    ui.print_(f"{count:,} note{' was' if count == 1 else 's were'} dropped.")
    if findings := find_problems(sidecar):
        report(sidecar, findings, repair=True)


def salvage_database(sidecar: Sidecar) -> None:
    """Copy what can be read of a damaged database into a new one."""
    from resonance_engine.store.recovery.salvage import salvage

    with block_analysis(sidecar):
        sidecar.close()
        saved = salvage(sidecar.path)
    ui.print_(f"It was kept as {printable(saved.kept)}.")
    ui.print_(f"{format_count(saved.recordings, 'recording')} and {format_tracks(saved.tracks)} were saved.")
    fresh = Sidecar(sidecar.library, sidecar.settings, sidecar.runtime)
    try:
        findings = find_problems(fresh)
        if findings is None:
            ui.print_("Run `beet resonance analyze` for the whole library.")
        elif findings.repairable:
            repair_all(fresh, findings)
        else:
            print_pending(fresh, findings.models[-1].id)
    finally:
        fresh.close()


def print_pending(sidecar: Sidecar, model_id: str) -> None:
    """Print how many tracks are to be analysed, if any."""
    left = plan_library(sidecar, model_id).jobs
    if left:
        ui.print_(f"Run `beet resonance analyze` for {format_tracks(len(left))}.")


def prune(sidecar: Sidecar, pretend: bool) -> None:
    """Drop recordings that are in no library any more, and files that are never read; print their numbers."""
    if not sidecar.exists:
        ui.print_("nothing is analysed yet, so there is nothing to prune")
        return
    store, model = sidecar.store, sidecar.model
    plan = plan_library(sidecar, model.id if model else "")
    verify_plausible(sidecar, plan)
    files = [*find_needless_indexes(sidecar.index_folder, store.models.all()), *find_left_over(sidecar.folder)]
    indexes = sum(path.suffix == INDEX_SUFFIX for path in files)
    if pretend:
        recordings = store.maintenance.count_prunable(sidecar.id, plan.gone)
        ui.print_(f"would drop {describe_dropped(recordings, indexes, len(files) - indexes)}")
        return
    forget(sidecar, plan)
    recordings = store.maintenance.prune()
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink(missing_ok=True)
    store.maintenance.drop_tombstones()
    freed += store.maintenance.compact()
    ui.print_(f"dropped {describe_dropped(recordings, indexes, len(files) - indexes)}; {format_size(freed)} freed")


def verify_plausible(sidecar: Sidecar, plan: Plan) -> None:
    """Raise UserError where the music seems to be away rather than removed."""
    if can_forget(sidecar, plan):
        return
    if not is_music_present(sidecar):
        raise UserError(f"resonance: the music is not there; {explain_missing(sidecar)} Nothing was dropped.")
    raise UserError(
        f"resonance: {format_tracks(len(plan.gone))} that were analysed are no longer in the library, "
        "too many to believe; nothing was dropped. If they are gone for good, run "
        "`beet resonance check --repair` first."
    )


def find_needless_indexes(folder: Path, models: list[Model]) -> list[Path]:
    """Return the index files of models and facets that the store does not have."""
    from resonance_engine.index.files import MAGIC_WORDS, index_path

    needed = {index_path(folder, model.id, kind) for model in models for kind in model.widths()}
    paths = []
    for path in sorted(folder.glob(f"resonance-*{INDEX_SUFFIX}")):
        if path not in needed and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(len(MAGIC_WORDS)) == MAGIC_WORDS:  # any other file of that name stays
                    paths.append(path)
    return paths


def find_left_over(folder: Path) -> list[Path]:
    """Return the files that a killed command did not finish, a day ago or earlier."""
    old = time.time() - DAY
    return [
        path
        for path in sorted(folder.iterdir())
        if LEFT_OVER.fullmatch(path.name) and path.is_file() and not path.is_symlink() and path.stat().st_mtime < old
    ]


def describe_dropped(recordings: int, indexes: int, files: int) -> str:
    parts = [(recordings, "recording"), (indexes, "index file"), (files, "left-over file")]
    return ", ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in parts)
