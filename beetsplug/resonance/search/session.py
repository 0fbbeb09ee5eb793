"""A library ready to be searched: its indexes, and which of its items stand behind vectors."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from beets.dbcore.query import InQuery
from beets.exceptions import UserError

from beetsplug.resonance.library.events import file_state
from beetsplug.resonance.library.metadata import selected
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


IDS_AT_A_TIME = 10_000  # SQLite takes 32,766 values in a statement, some builds more


class SearchSession:
    """A library ready to be searched; raises StoreError where its data cannot be read."""

    def __init__(self, sidecar: Sidecar, model: Model) -> None:
        self.sidecar = sidecar
        self.model = model
        # What left the library stays in the store, and must not count among what is near to everything.
        self._strangers = sidecar.store.vectors.unlinked_embeddings(sidecar.id, model.id)
        self.index = self._opened(EMBEDDING)
        self._facets: dict[str, VectorIndex] = {}

    def _opened(self, kind: str) -> VectorIndex:
        index = open_index(self.sidecar.store, self.model.id, self.sidecar.path.parent, kind)
        index.remove(self._strangers)
        if not np.isfinite(index.moments.total).all():
            raise StoreError("The data of a track is damaged; run `beet resonance check --repair`.")
        return index

    def facet(self, name: str) -> VectorIndex:
        """The index of a facet, under the ids of the embeddings."""
        if name not in self._facets:
            self._facets[name] = self._opened(name)
        return self._facets[name]

    def vectors_of(self, items: list[Item]) -> dict[int, int]:
        """Vector ids of items, by item id; items that are not analysed are left out."""
        return self.sidecar.store.tracks.vector_ids(self.sidecar.id, self.current(items), self.model.id)

    def current_items(self, vector_ids: Sequence[int]) -> dict[int, list[int]]:
        """The ids of the library's items behind vectors, without those whose row means another item."""
        sidecar = self.sidecar
        behind = sidecar.store.tracks.by_vector(sidecar.id, vector_ids)
        tracks = {track.item_id: track for found in behind.values() for track in found}
        rows = selected(sidecar.library, "SELECT id, added FROM items WHERE id IN", tracks)
        same = {row["id"]: row["added"] == tracks[row["id"]].added for row in rows}
        # To make a path takes longer than all this, and only where the date was changed is there a doubt.
        doubtful = self.current(sidecar.some_rows(each for each in same if not same[each]))
        found = {
            each: [track.item_id for track in there if same.get(track.item_id) or track.item_id in doubtful]
            for each, there in behind.items()
        }
        return {each: item_ids for each, item_ids in found.items() if item_ids}

    def attributes(self, vector_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """What was measured of the recordings behind vectors, where anything was."""
        keys = self.sidecar.store.vectors.content_keys(vector_ids)
        analyses = self.sidecar.store.analyses.get(set(keys.values()))
        return {each: analyses[key].attributes for each, key in keys.items() if key in analyses}

    def items(self, ids: set[int]) -> Iterator[Item]:
        """The library's items with these ids."""
        ordered = sorted(ids)
        for start in range(0, len(ordered), IDS_AT_A_TIME):
            yield from self.sidecar.library.items(InQuery("id", ordered[start : start + IDS_AT_A_TIME]))

    def current(self, items: Iterable[Item | ItemRow]) -> set[int]:
        """The ids of those items that the store knows and means; beets gives an id again when its item is gone."""
        by_id = {item.id: item for item in items if item.id is not None}
        return {
            item_id
            for item_id, track in self.sidecar.store.tracks.get(self.sidecar.id, by_id).items()
            if track.added == by_id[item_id].added
            # Another plugin rewrote the date: the same file is the same item all the same.
            or file_state(by_id[item_id].path) == (track.size, track.mtime_ns)
        }


@contextmanager
def open_session(sidecar: Sidecar, model: Model) -> Iterator[SearchSession]:
    """A library ready to be searched, as it is at one moment, whatever others write meanwhile."""
    _ = sidecar.id  # where it has to be noted first, that cannot be done while reading
    with sidecar.store.read():
        yield SearchSession(sidecar, model)


def seeds_of(search: SearchSession, query: list[str], command: str) -> tuple[list[Item], list[int]]:
    """The items that a query matches and that are analysed, with their vector ids; UserError where there are none."""
    items = list(search.sidecar.library.items(query))
    words = shlex.join(query)
    if not items:
        raise UserError(f"{command}: no track matches {words}; try `beet ls {words}`")
    vector_ids = search.vectors_of(items)
    known = [item for item in items if item.id in vector_ids]
    if not known:
        one = len(items) == 1
        which = "the track that matches" if one else f"none of the {len(items):,} tracks that match"
        failures = search.sidecar.store.failures.all(search.sidecar.id)
        if all(item.path in failures for item in items):
            reason = f": {failures[items[0].path].reason}" if one else ", see `beet resonance status`"
            raise UserError(f"{command}: {which} could{' not' if one else ''} be analysed{reason}")
        state = "is not" if one else "is"
        raise UserError(f"{command}: {which} {state} analysed yet; run `beet resonance analyze {words}`")
    return known, [vector_ids[item.id] for item in known if item.id is not None]
