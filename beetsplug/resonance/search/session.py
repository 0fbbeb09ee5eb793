"""A library opened for searching: its indexes, and the items behind vectors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from beetsplug.resonance.library.item_query import select_items, select_rows
from beetsplug.resonance.library.sync import file_state
from resonance_engine.errors import StoreError
from resonance_engine.index.files import open_index
from resonance_engine.store import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from beets.library import Item

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from resonance_engine.index.files import VectorIndex
    from resonance_engine.store import Model


class SearchSession:
    """A library opened for searching; raises StoreError where its data cannot be read.

    The indexes of a `previous` session are reused where the store has not changed since.
    """

    def __init__(self, sidecar: Sidecar, model: Model, previous: SearchSession | None = None) -> None:
        self.sidecar = sidecar
        self.store = sidecar.store
        self.model = model
        # What left the library stays in the store, and must not count among what is near to everything.
        self._unlinked = self.store.vectors.unlinked_embeddings(sidecar.id, model.id)
        self._state = model.id, self.store.generation, self._unlinked
        reusable = previous is not None and previous._state == self._state
        self._indexes: dict[str, VectorIndex] = previous._indexes if previous and reusable else {}
        self.index = self.facet(EMBEDDING)

    def _open_index(self, kind: str) -> VectorIndex:
        index = open_index(self.store, self.model.id, self.sidecar.path.parent, kind)
        if len(self._unlinked):
            index.remove(self._unlinked)
        if not np.isfinite(index.moments.total).all():
            raise StoreError("The data of a track is damaged; run `beet resonance check --repair`.")
        return index

    def facet(self, name: str) -> VectorIndex:
        """Return the index of a facet, under the ids of the embeddings."""
        if name not in self._indexes:
            self._indexes[name] = self._open_index(name)
        return self._indexes[name]

    def vector_ids(self, items: list[Item]) -> dict[int, int]:
        """Return the vector ids of items, by item id; items that are not analysed are left out."""
        return self.store.tracks.vector_ids(self.sidecar.id, self.current(items), self.model.id)

    def current_items(self, vector_ids: Sequence[int]) -> dict[int, list[int]]:
        """Return the ids of the library's items behind vectors, without those whose row means another item."""
        behind = self.store.tracks.by_vector(self.sidecar.id, vector_ids)
        tracks = {track.item_id: track for rows in behind.values() for track in rows}
        rows = select_rows(self.sidecar.library, "SELECT id, added FROM items WHERE id IN", tracks)
        current = {row["id"]: row["added"] == tracks[row["id"]].added for row in rows}
        # To make a path takes longer than all this, and only where the date was changed is there a doubt.
        if doubtful := [item_id for item_id, is_same in current.items() if not is_same]:
            current |= dict.fromkeys(self.current(self.sidecar.rows_by_id(doubtful)), True)
        items = {each: [row.item_id for row in rows if current.get(row.item_id)] for each, rows in behind.items()}
        return {each: item_ids for each, item_ids in items.items() if item_ids}

    def attributes(self, vector_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """Return the measured attributes of the recordings behind vectors, where there are any."""
        keys = self.store.vectors.content_keys(vector_ids)
        analyses = self.store.analyses.get(set(keys.values()))
        return {each: analyses[key].attributes for each, key in keys.items() if key in analyses}

    def items(self, ids: set[int]) -> list[Item]:
        """Return the library's items with these ids."""
        return list(select_items(self.sidecar.library, ids))

    def current(self, items: Iterable[Item | ItemRow]) -> set[int]:
        """Return the ids of items that the store knows and means; beets reuses an id when its item is gone."""
        by_id = {item.id: item for item in items if item.id is not None}
        return {
            item_id
            for item_id, track in self.store.tracks.get(self.sidecar.id, by_id).items()
            if track.added == by_id[item_id].added
            # Another plugin rewrote the date: the same file is the same item all the same.
            or file_state(by_id[item_id].path) == (track.size, track.mtime_ns)
        }


@contextmanager
def open_session(sidecar: Sidecar, previous: SearchSession | None = None) -> Iterator[SearchSession]:
    """Open a library, of which something is embedded, as it is at one moment, whatever is written meanwhile."""
    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    _ = sidecar.id  # where it has to be noted first, that cannot be done while reading
    with sidecar.store.read():
        yield SearchSession(sidecar, model, previous)
