"""Whether tracks that left the library are gone for good, or their music is away; what is forgotten then.

A disk that is not mounted looks like music that was deleted. What tells them apart are the folders of the items
themselves: beets' `directory` need not exist where music is imported in place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from beetsplug.resonance.library.sync import Plan

MASS_REMOVAL = 20  # up to this many vanished tracks are forgotten whatever their share


def is_plausible(gone: int, known: int, music_present: bool) -> bool:
    """Return whether tracks may be forgotten: not while the disk is away or most of a library has vanished at once."""
    return music_present and (gone <= MASS_REMOVAL or gone <= known / 2)


def can_forget(sidecar: Sidecar, plan: Plan) -> bool:
    """Return whether the items that left the library may be forgotten; see `is_plausible`."""
    known = len(sidecar.store.tracks.all(sidecar.id))
    return is_plausible(len(plan.gone), known, is_music_present(sidecar))


def forget(sidecar: Sidecar, plan: Plan) -> None:
    """Unlink the items that left the library, and drop their failures; their vectors stay until `prune`."""
    if plan.gone or plan.stale:
        with sidecar.store.write():
            sidecar.store.tracks.unlink(sidecar.id, plan.gone)
            sidecar.store.failures.clear(sidecar.id, *plan.stale)


def is_music_present(sidecar: Sidecar) -> bool:
    """Return whether the music of a library is where it was imported to.

    In an empty library, whether beets' music folder could be made where it is to be: the disk of it is there then.
    """
    rows = sidecar.rows()
    return has_folders(rows) if rows else Path(os.fsdecode(sidecar.library.directory)).parent.is_dir()


def has_folders(rows: Iterable[ItemRow]) -> bool:
    """Return whether at least half of the folders of items hold anything, be it links to files that are gone."""
    folders = item_folders(rows)
    return 2 * sum(map(has_entries, folders)) >= len(folders)


def has_entries(folder: bytes) -> bool:
    """Return whether a folder is there and not empty, as the place of a disk is that is not mounted."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def item_folders(rows: Iterable[ItemRow]) -> list[bytes]:
    return sorted({os.path.dirname(row.path) for row in rows})  # noqa: PTH120 - bytes, which may not be text


def music_folder(sidecar: Sidecar) -> Path:
    """Return the folder that all items are in: beets' own, unless they share another."""
    folders, own = item_folders(sidecar.rows()), Path(os.fsdecode(sidecar.library.directory))
    common = Path(os.fsdecode(os.path.commonpath(folders))) if folders else own
    return own if common.is_relative_to(own) or common == Path(common.anchor) else common


def explain_missing(sidecar: Sidecar) -> str:
    """Return a clause, with its full stop or question mark, on why no track of a library has its file."""
    folder = printable(music_folder(sidecar))
    if any(os.path.islink(row.path) for row in sidecar.rows()):  # noqa: PTH114 - bytes, which may not be text
        return f"the links in {folder} lead to files that are not there."
    return f"is {folder} mounted?"
