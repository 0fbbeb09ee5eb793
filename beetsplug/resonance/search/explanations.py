"""Explain hits: the shares of the facets in the similarity to seeds, and the traits in common with the nearest one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from beetsplug.resonance.search.session import load_profiles
from resonance_engine.search.explain import common_traits, facet_shares, format_traits
from resonance_engine.search.vector_sets import representatives

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession

SEEDS_COMPARED = 8  # of many, those that stand for all; what is shown is two digits
LEAST_SHARE = 0.005  # what rounds to 0 % is left out


@dataclass(frozen=True)
class Reason:
    """The share of each facet in the similarity, summing to 1, and the traits of both tracks, in words.

    `fits` is, for each phrase of a text, the share of the library that fits it worse. What does not apply is empty.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    fits: Mapping[str, float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """All in one line, the largest share first: "semantic 51 %, timbre 29 % [Similar: fast, major key]"."""
        ordered = sorted(self.shares.items(), key=lambda each: -each[1])
        shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in ordered if share >= LEAST_SHARE)
        fits = ", ".join(f"{phrase} {100 * share:.0f} %" for phrase, share in self.fits.items())
        return " ".join(filter(None, (shares, format_traits(self.words), f"[Fits: {fits}]" if fits else "")))


def explain_hits(session: SearchSession, result: SearchResult) -> dict[int, Reason]:
    """Return the reasons of the hits, by vector id."""
    model, text = session.model, result.text_scores
    fits = {hit.id: text.shares_below(hit.id) if text else {} for hit in result.hits}
    if not len(result.seeds.vectors):
        return {each: Reason(fits=fit) for each, fit in fits.items()}
    seeds = result.seeds.profiles(session)
    keys = session.store.vectors.content_keys(fits)
    profiles = load_profiles(session.store, model, set(keys.values()))
    sample = session.store.tags.sample(model.id)
    reasons = {}
    for hit in result.hits:
        seed, other = seeds[int((result.seeds.vectors @ hit.vector).argmax())], profiles[keys[hit.id]]
        traits = tuple(common_traits(seed, other, model.tags, sample))
        reasons[hit.id] = Reason(facet_shares(seed, other, result.weights), traits, fits[hit.id])
    return reasons


def mean_facet_shares(sidecar: Sidecar, seeds: Collection[int], hits: Collection[int]) -> dict[int, dict[str, float]]:
    """Return the shares of the facets in hits' similarity to seeds, by item id and facet; those of a hit sum to one.

    With several seeds it is the mean over them, or over up to SEEDS_COMPARED that stand for all. Items without facets
    are left out. Raises StoreError.
    """
    store, model = sidecar.store, sidecar.model
    if model is None or not seeds:
        return {}
    tracks = store.tracks.get(sidecar.id, {*seeds, *hits})
    keys = {item_id: track.content_key for item_id, track in tracks.items()}
    with store.read():
        embeddings = store.vectors.get({keys[each] for each in seeds if each in keys}, model.id)
        compared = [keys[each] for each in sorted({*seeds}) if keys.get(each) in embeddings]
        if len(compared) > SEEDS_COMPARED:
            places = representatives(np.stack([embeddings[key] for key in compared]), SEEDS_COMPARED)
            compared = [compared[place] for place in places]
        profiles = load_profiles(store, model, {*compared, *(keys[each] for each in hits if each in keys)})
    shares = {
        each: [facet_shares(profiles[key], profiles[keys[each]]) for key in compared] for each in hits if each in keys
    }
    return {
        item_id: {name: sum(one.get(name, 0.0) for one in ones) / len(ones) for name in ones[0]}
        for item_id, ones in shares.items()
        if ones and all(ones)
    }
