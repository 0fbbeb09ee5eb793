"""Why a track was found: how much of the similarity each facet makes, and what both tracks are like, in words."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from resonance_engine.search.common_traits import in_common, tags_in_common

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Facets = Mapping[str, NDArray[np.float32]]


NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class TrackProfile:
    """What is known of a track: facets, unit vectors by name, their gates in its embedding, attributes, and tags."""

    facets: Facets
    gates: Mapping[str, float]
    attributes: Mapping[str, Any]
    tags: Mapping[str, float]


def shares(one: TrackProfile, other: TrackProfile, weights: Mapping[str, float] = NO_WEIGHTS) -> dict[str, float]:
    """The share of each facet in the similarity of two tracks, from 0, summing to 1: w_i cos_i / sum of w_j cos_j.

    w_i is the product of the facet's gates in both embeddings, times the user's weight (1 where none is named): what
    its cosine counts for in the embeddings' own. A facet in which the tracks are unlike (cos < 0) has no share; where
    that is all of them, the w_i themselves are shared out. Empty where the tracks have no facet in common.
    """
    common = [name for name in one.facets if name in other.facets]
    counted = {name: weights.get(name, 1.0) * one.gates.get(name, 1.0) * other.gates.get(name, 1.0) for name in common}
    alike = {name: counted[name] * max(float(one.facets[name] @ other.facets[name]), 0.0) for name in common}
    parts = alike if sum(alike.values()) > 0 else counted
    total = sum(parts.values())
    return {name: part / total if total > 0 else 1 / len(common) for name, part in parts.items()}


def words(one: TrackProfile, other: TrackProfile, names: Sequence[str], library: NDArray[np.float32]) -> list[str]:
    """What two tracks are both like, the measured first, then tags by which both stand out from the library.

    `names` are the model's tags and `library` their probabilities in a sample of it, (n, names): `Store.tag_sample`.
    """
    return in_common(one.attributes, other.attributes) + tags_in_common(one.tags, other.tags, names, library)


def line(said: Sequence[str]) -> str:
    """Words as they are shown below a hit, such as "[Similar: energetic rhythm, bright timbre, major key]"."""
    return f"[Similar: {', '.join(said)}]" if said else ""
