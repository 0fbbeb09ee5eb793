"""beet resonance prune: delete vectors and files that no library needs any more."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import format_size
from beetsplug.resonance.library.sidecar import format_tracks
from beetsplug.resonance.library.sync import can_forget, forget, music_folder, plan_library
from resonance_engine.errors import printable

if TYPE_CHECKING:
    from pathlib import Path

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.library.sync import Plan
    from resonance_engine.store import Model

INDEX_SUFFIX = ".index"
DAY = 24 * 3600.0
# Temporary names of `resonance_engine.files` and of copies of the database, left behind by killed commands.
LEFT_OVER = re.compile(r"\.resonance-.*\.[0-9a-f]{16}|resonance\.db(\.v\d+\.bak)?\.part(-wal|-shm|-journal)?")


def prune(sidecar: Sidecar, pretend: bool) -> None:
    """Drop recordings that are in no library any more, and files that are never read; print their numbers."""
    if not sidecar.exists:
        ui.print_("nothing is analysed yet, so there is nothing to prune")
        return
    store, model, folder = sidecar.store, sidecar.model, sidecar.path.parent
    plan = plan_library(sidecar, model.id if model else "")
    verify_plausible(sidecar, plan)
    files = [*find_needless_indexes(folder, store.models.all()), *find_left_over(folder)]
    indexes = sum(path.suffix == INDEX_SUFFIX for path in files)
    if pretend:
        recordings = store.maintenance.count_prunable(sidecar.id, plan.gone)
        ui.print_(f"would drop {describe(recordings, indexes, len(files) - indexes)}")
        return
    forget(sidecar, plan)
    recordings = store.maintenance.prune()
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink(missing_ok=True)
    store.maintenance.drop_tombstones()
    freed += store.maintenance.compact()
    ui.print_(f"dropped {describe(recordings, indexes, len(files) - indexes)}; {format_size(freed)} freed")


def verify_plausible(sidecar: Sidecar, plan: Plan) -> None:
    """Raise UserError where the music seems to be away rather than removed."""
    if can_forget(sidecar, plan):
        return
    music = music_folder(sidecar)
    if not music.is_dir() or (plan.total and plan.missing == plan.total):
        raise UserError(f"resonance: the music is not there; is {printable(music)} mounted? Nothing was dropped.")
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


def describe(recordings: int, indexes: int, files: int) -> str:
    parts = [(recordings, "recording"), (indexes, "index file"), (files, "left-over file")]
    return ", ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in parts)
