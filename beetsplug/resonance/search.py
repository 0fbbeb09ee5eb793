"""From a beets query to the library's nearest tracks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from beets.dbcore.query import InQuery
from beets.exceptions import UserError

from beetsplug.resonance.sync import file_state
from resonance_engine.index import open_index
from resonance_engine.search.ranking import Ranking, neighbours

if TYPE_CHECKING:
    from beets.library import Item
    from numpy.typing import NDArray

    from beetsplug.resonance.sidecar import Sidecar
    from resonance_engine.index import VectorIndex
    from resonance_engine.search.ranking import Neighbour
    from resonance_engine.store import Model


@dataclass(frozen=True)
class Hit:
    """A track of the library that was found, with its closeness to the seeds and its embedding."""

    item: Item
    score: float
    vector: NDArray[np.float32]


class Search:
    """A library ready to be searched; raises StoreError where its data cannot be read."""

    def __init__(self, sidecar: Sidecar, model: Model) -> None:
        self.sidecar = sidecar
        self.model = model
        self.index: VectorIndex = open_index(sidecar.store, model.id, sidecar.path.parent)

    def vectors_of(self, items: list[Item]) -> dict[int, int]:
        """Vector ids of items, by item id; items that are not analysed are left out."""
        ids = [item.id for item in items if item.id is not None]
        return self.sidecar.store.vector_ids(self.sidecar.id, ids, self.model.id)

    def nearest(self, seeds: NDArray[np.float32], ranking: Ranking, exclude: set[int]) -> list[Hit]:
        """The tracks nearest to the seed vectors, best first; `exclude` are vector ids that may not come up.

        Files of the same sound count as one track, which the lowest item id stands for.
        """
        found: dict[int, Item] = {}

        def accept(vector_ids: list[int]) -> set[int]:
            found.update(self.items_of([each for each in vector_ids if each not in found]))
            return {each for each in vector_ids if each in found}

        hits: list[Neighbour] = neighbours(self.index, seeds, ranking, exclude, accept)
        vectors = self.index.vectors([hit.id for hit in hits])
        return [Hit(found[hit.id], hit.score, vector) for hit, vector in zip(hits, vectors, strict=True)]

    def items_of(self, vector_ids: list[int]) -> dict[int, Item]:
        """The library's items behind vectors, by vector id, without those whose row means another item."""
        ids = self.sidecar.store.items_of(self.sidecar.id, vector_ids)
        wanted = {item_id for items in ids.values() for item_id in items}
        if not wanted:
            return {}
        items = {item.id: item for item in self.sidecar.library.items(InQuery("id", sorted(wanted)))}
        tracks = self.sidecar.store.tracks_of(self.sidecar.id, wanted)
        current = {
            item_id
            for item_id, item in items.items()
            if item_id is not None
            and (
                tracks[item_id].added == item.added
                # Another plugin rewrote the date: the same file is the same item all the same.
                or file_state(item.path) == (tracks[item_id].size, tracks[item_id].mtime_ns)
            )
        }
        return {
            vector_id: items[next(item_id for item_id in item_ids if item_id in current)]
            for vector_id, item_ids in ids.items()
            if current.intersection(item_ids)
        }


def seeds_of(search: Search, query: list[str], command: str) -> tuple[list[Item], list[int]]:
    """The items that a query matches and that are analysed, with their vector ids; UserError where there are none."""
    items = list(search.sidecar.library.items(query))
    if not items:
        raise UserError(f"{command}: no track matches {' '.join(query)!r}; try `beet ls {' '.join(query)}`")
    vector_ids = search.vectors_of(items)
    known = [item for item in items if item.id in vector_ids]
    if not known:
        what = "the track that matches is" if len(items) == 1 else f"none of the {len(items)} tracks that match is"
        negated = " not" if len(items) == 1 else ""
        raise UserError(f"{command}: {what}{negated} analysed; run `beet resonance analyze {' '.join(query)}`")
    return known, [vector_ids[item.id] for item in known if item.id is not None]


def file_vector(search: Search, path: Path) -> NDArray[np.float32]:
    """The embedding of a file that need not be in the library, by the model that the library is searched with."""
    from resonance_engine.errors import ModelError
    from resonance_engine.worker import Worker

    settings = search.sidecar.settings
    with Worker(settings.model_path, settings.timeout) as worker:
        described = worker.description()
        if described.id != search.model.id:
            raise ModelError(
                f"The library is analysed with the model {search.model.name} {search.model.version}, the "
                f"configuration names {described.name} {described.version}; run `beet resonance analyze` to switch."
            )
        heard = worker.listen(path, lambda key: True)
    assert heard.embedding is not None
    return heard.embedding.embedding
