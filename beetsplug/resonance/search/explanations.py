"""Explain hits: the shares of the facets, and the traits in common with the nearest seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beetsplug.resonance.search.seeds import load_profiles
from resonance_engine.search.explain import common_traits, facet_shares, format_traits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession

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
    if not result.seeds:
        return {each: Reason(fits=fit) for each, fit in fits.items()}
    seeds, vectors = result.seeds.profiles(session), result.seeds.vectors(session)
    profiles = load_profiles(session, [hit.id for hit in result.hits])
    sample = session.store.tags.sample(model.id)
    reasons = {}
    for hit in result.hits:
        seed, other = seeds[int((vectors @ hit.vector).argmax())], profiles[hit.id]
        traits = tuple(common_traits(seed, other, model.tags, sample))
        reasons[hit.id] = Reason(facet_shares(seed, other, result.weights), traits, fits[hit.id])
    return reasons
