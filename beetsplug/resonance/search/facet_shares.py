"""How much each facet, such as rhythm or timbre, makes of the similarity between what was found and its seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.search.agreement import representatives
from resonance_engine.search.explain import TrackProfile, shares

if TYPE_CHECKING:
    from collections.abc import Collection

    from beetsplug.resonance.library.sidecar import Sidecar

SEEDS_COMPARED = 8  # of many, those that stand for all; what is shown is two digits


def facet_shares(sidecar: Sidecar, seeds: Collection[int], hits: Collection[int]) -> dict[int, dict[str, float]]:
    """The shares of the facets in hits' similarity to seeds, by item id and facet; those of a hit sum to one.

    With several seeds it is the mean over them. Items without facets are left out. Raises StoreError.
    """
    store, model = sidecar.store, sidecar.model
    if model is None or not seeds:
        return {}
    tracks = store.tracks.get(sidecar.id, {*seeds, *hits})
    keys = {track.content_key for track in tracks.values()}
    with store.read():
        vectors = {name: store.vectors.get(keys, model.id, name) for name in model.modalities}
        gates = store.vectors.gates(keys, model.id)
    known = {
        item_id: TrackProfile(
            {name: found[key] for name, found in vectors.items() if key in found}, gates.get(key, {}), {}, {}
        )
        for item_id, key in ((each, track.content_key) for each, track in tracks.items())
    }
    compared = [known[each] for each in chosen(sidecar, seeds) if each in known]
    found = {each: [shares(seed, known[each]) for seed in compared] for each in hits if each in known}
    return {
        each: {name: sum(one.get(name, 0.0) for one in ones) / len(ones) for name in ones[0]}
        for each, ones in found.items()
        if ones and all(ones)
    }


def chosen(sidecar: Sidecar, seeds: Collection[int]) -> list[int]:
    """A few of the items that stand for all."""
    import numpy as np

    store, model = sidecar.store, sidecar.model
    assert model is not None, "there are facets, so there is a model"
    tracks = store.tracks.get(sidecar.id, seeds)
    embeddings = store.vectors.get({track.content_key for track in tracks.values()}, model.id)
    items = [each for each in sorted(tracks) if tracks[each].content_key in embeddings]
    if len(items) <= SEEDS_COMPARED:
        return items
    places = representatives(np.stack([embeddings[tracks[each].content_key] for each in items]), SEEDS_COMPARED)
    return [items[place] for place in places]
