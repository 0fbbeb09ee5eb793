"""What a sidecar says of a library, in a form that does not depend on how it came to know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.index.files import open_index

if TYPE_CHECKING:
    from pathlib import Path


class RebuiltSidecar(Sidecar):
    """A sidecar in a folder of its own."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "resonance.db"


def sidecar_contents(sidecar: Sidecar) -> dict[str, Any]:
    """All that can be reached from a library's tracks, by content key, and what is found near each of them."""
    store, model = sidecar.store, sidecar.model
    assert model is not None
    tracks = store.tracks.all(sidecar.id)
    keys = {track.content_key for track in tracks.values()}
    key_of = {vector: key for key, vector in store.tracks.linked_embeddings(sidecar.id, model.id).items()}
    search = SearchSession(sidecar, model)
    found: dict[str, Any] = {"model": model, "tracks": tracks, "keys": set(key_of.values())}
    for kind in model.widths():
        index = open_index(store, model.id, sidecar.path.parent, kind)
        found[kind] = {key_of[each]: index.vectors([each]).tobytes() for each in key_of}
        assert found[kind] == {key: vector.tobytes() for key, vector in store.vectors.get(keys, model.id, kind).items()}
        _, near = index.nearest(index.vectors(sorted(key_of, key=key_of.get)), 20, allowed=list(key_of))
        found[f"near by {kind}"] = [[key_of[each] for each in row] for row in near.tolist()]
    windows = store.vectors.windows(keys, model.id)
    found["windows"] = {key: (each.starts, each.vectors.tobytes()) for key, each in windows.items()}
    found["gates"], found["analyses"] = store.vectors.gates(keys, model.id), store.analyses.get(keys)
    for item_id in list(tracks)[:2]:
        request = SearchRequest(query=(f"id:{item_id}",), count=10)
        hits = Finder(search, request, "similar").find().hits if tracks else []
        found[f"similar to {item_id}"] = [(key_of[hit.id], round(hit.score, 5)) for hit in hits]
    return found
