"""Why tracks were found: the shares of the facets, and what they have in common with the nearest seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beetsplug.resonance.search.seeds import load_profiles
from resonance_engine.search.explain import line, shares, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession

LEAST_SHARE = 0.005  # what rounds to 0 % is not said


@dataclass(frozen=True)
class Reason:
    """The share of each facet in the similarity, summing to 1, and what both tracks are like.

    `fits` says of each part of a text which share of the library fits it worse. What does not apply is empty.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    fits: Mapping[str, float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """All in one line, the largest share first: "semantic 51 %, timbre 29 % [Similar: fast, major key]"."""
        ordered = sorted(self.shares.items(), key=lambda each: -each[1])
        parts = ", ".join(percent(name, share) for name, share in ordered if share >= LEAST_SHARE)
        fits = ", ".join(percent(part, share) for part, share in self.fits.items())
        return " ".join(filter(None, (parts, line(self.words), f"[Fits: {fits}]" if fits else "")))


def percent(name: str, share: float) -> str:
    return f"{name} {100 * share:.0f} %"


def explain_hits(search: SearchSession, found: SearchResult) -> dict[int, Reason]:
    """The reasons of the hits, by vector id."""
    reader, model = search.sidecar.store, search.model
    said = {hit.id: {} if found.text_scores is None else found.text_scores.of(hit.id) for hit in found.hits}
    if not found.start:
        return {each: Reason(fits=fits) for each, fits in said.items()}
    seeds, vectors = found.start.profiles(search), found.start.vectors(search)
    known = load_profiles(search, [hit.id for hit in found.hits])
    sample = reader.tags.sample(model.id)
    reasons = {}
    for hit in found.hits:
        seed, other = seeds[int((vectors @ hit.vector).argmax())], known[hit.id]
        common = tuple(words(seed, other, model.tags, sample))
        reasons[hit.id] = Reason(shares(seed, other, found.weights), common, said[hit.id])
    return reasons
