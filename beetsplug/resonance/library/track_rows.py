"""Rows of the store that still mean the library's items of their ids: beets reuses an id when its item is gone.

A row and an item are of one track where the date of both is the same, or the file is as it was when it was analysed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beetsplug.resonance.library.sidecar import file_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Item

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.store.records import TrackRow


def current_rows(sidecar: Sidecar, items: Iterable[Item | ItemRow]) -> dict[int, TrackRow]:
    """Return the rows of items that the store knows and means, by item id."""
    by_id = {item.id: item for item in items if item.id is not None}
    return {
        item_id: track
        for item_id, track in sidecar.store.tracks.get(sidecar.id, by_id).items()
        if track.added == by_id[item_id].added
        # Another plugin rewrote the date: the same file is the same item all the same.
        or file_state(by_id[item_id].path) == (track.size, track.mtime_ns)
    }


def all_current_rows(sidecar: Sidecar) -> dict[int, TrackRow]:
    """Return the rows of all items of the library that the store knows and means, by item id."""
    tracks = sidecar.store.tracks.all(sidecar.id)
    with sidecar.library.transaction() as transaction:
        added = {row["id"]: row["added"] for row in transaction.query("SELECT id, added FROM items")}
    current = {item_id: track for item_id, track in tracks.items() if added.get(item_id) == track.added}
    # To look at each path costs seconds, and only where the date was changed is there a doubt.
    doubtful = (tracks.keys() & added.keys()) - current.keys()
    return current | current_rows(sidecar, sidecar.rows_by_id(doubtful))
