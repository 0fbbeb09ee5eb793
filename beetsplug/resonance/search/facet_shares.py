"""Shares of the facets, such as rhythm or timbre, in the similarity of items to seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.search.explain import TrackProfile, facet_shares
from resonance_engine.search.seed_sets import representatives

if TYPE_CHECKING:
    from collections.abc import Collection

    from beetsplug.resonance.library.sidecar import Sidecar

SEEDS_COMPARED = 8  # of many, those that stand for all; what is shown is two digits


def mean_facet_shares(sidecar: Sidecar, seeds: Collection[int], hits: Collection[int]) -> dict[int, dict[str, float]]:
    """Return the shares of the facets in hits' similarity to seeds, by item id and facet; those of a hit sum to one.

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
    profiles = {
        item_id: TrackProfile(
            {name: facets[track.content_key] for name, facets in vectors.items() if track.content_key in facets},
            gates.get(track.content_key, {}),
            {},
            {},
        )
        for item_id, track in tracks.items()
    }
    compared = [profiles[each] for each in typical_items(sidecar, seeds) if each in profiles]
    shares = {each: [facet_shares(seed, profiles[each]) for seed in compared] for each in hits if each in profiles}
    return {
        item_id: {name: sum(one.get(name, 0.0) for one in ones) / len(ones) for name in ones[0]}
        for item_id, ones in shares.items()
        if ones and all(ones)
    }


def typical_items(sidecar: Sidecar, item_ids: Collection[int]) -> list[int]:
    """Return up to SEEDS_COMPARED of the items that stand for all."""
    import numpy as np

    store, model = sidecar.store, sidecar.model
    assert model is not None, "there are facets, so there is a model"
    tracks = store.tracks.get(sidecar.id, item_ids)
    embeddings = store.vectors.get({track.content_key for track in tracks.values()}, model.id)
    items = [each for each in sorted(tracks) if tracks[each].content_key in embeddings]
    if len(items) <= SEEDS_COMPARED:
        return items
    places = representatives(np.stack([embeddings[tracks[each].content_key] for each in items]), SEEDS_COMPARED)
    return [items[place] for place in places]
