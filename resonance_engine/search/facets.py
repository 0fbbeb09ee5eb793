"""Queries by weighted facets: the same rhythm, whatever the timbre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import ConfigError
from resonance_engine.search.ranking import Layer, Query
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.index.vector_index import VectorIndex

    Vectors = NDArray[np.float32]
    Gates = Mapping[str, float]

FOCUS = 0.75  # the part of the similarity that focused facets make up


def parse_weights(text: str, facets: Sequence[str]) -> dict[str, float]:
    """Parse the weights in `timbre=1,harmony=0.5,rhythm=2`; facets that are not named weigh 1.

    Raises ConfigError for another spelling, an unknown facet, and weights that are negative or all zero.
    """
    weights = dict.fromkeys(facets, 1.0)
    for part in text.split(","):
        name, _, number = (each.strip() for each in part.partition("="))
        require_facet(name, facets)
        try:
            weights[name] = float(number)
        except ValueError:
            raise ConfigError(f"The weight of {name} must be a number, as in {name}=2, not {part.strip()!r}.") from None
        if not 0.0 <= weights[name] < float("inf"):
            raise ConfigError(f"The weight of {name} must be 0 or more, not {number}.")
    if not any(weights.values()):
        raise ConfigError("All facets weigh 0, so nothing is left to compare; give one of them a weight.")
    return weights


def focus_weights(names: Collection[str], gates: Sequence[Gates]) -> dict[str, float]:
    """Return the weights with which some facets make up three quarters of the similarity to seeds of these gates.

    Raises ConfigError for an unknown facet, and where the seeds have no share of it.
    """
    mean = {facet: float(np.mean([gate_shares(each)[facet] for each in gates])) for facet in gates[0]}
    for name in names:
        require_facet(name, list(mean))
    part = sum(mean[name] for name in names)
    if part <= 0:
        raise ConfigError(f"The model gives no weight to {' and '.join(names)} here; name another facet.")
    weight = FOCUS / (1 - FOCUS) * (1 - part) / part
    return {facet: max(weight, 1.0) if facet in names else 1.0 for facet in mean}


def require_facet(name: str, facets: Sequence[str]) -> None:
    if name not in facets:
        hint = suggest(name, facets, f"it has {', '.join(facets)}.")
        raise ConfigError(f"The model has no facet {name!r}; {hint}")


def gate_shares(gates: Gates) -> dict[str, float]:
    """Return the share of each facet in a track's own embedding: its gate squared, all of them summing to one."""
    total = sum(gate**2 for gate in gates.values())
    return {facet: gate**2 / total if total else 1.0 / len(gates) for facet, gate in gates.items()}


def facet_query(
    vectors: VectorIndex,
    indexes: Mapping[str, VectorIndex],
    seeds: Mapping[str, Vectors],
    gates: Sequence[Gates],
    weights: Mapping[str, float],
    exclude: Collection[int] = (),
    allowed: Iterable[int] | None = None,
    avoid: Vectors | None = None,
) -> Query:
    """Query by facets: similarity is the mean of the facets' cosines, weighted by weight times the seed's share.

    `indexes` and `seeds` (s, d each) are by facet, under the ids of the embeddings in `vectors`; `gates` has the gates
    of each seed. Facets that `weights` does not name weigh 1; with all at 1 the ranking is nearly that of the whole
    embeddings, which the shares are taken from.
    """
    parts = np.array([[weights.get(facet, 1.0) * gate_shares(each)[facet] for facet in indexes] for each in gates])
    totals = parts.sum(axis=1, keepdims=True)
    parts = np.divide(parts, totals, out=np.full_like(parts, 1.0 / len(indexes)), where=totals > 0)
    layers = tuple(
        Layer(index, seeds[facet], parts[:, number])
        for number, (facet, index) in enumerate(indexes.items())
        if parts[:, number].any()
    )
    ids = None if allowed is None else np.fromiter({*allowed}.difference(exclude), np.int64)
    return Query(vectors, layers, exclude, ids, avoid)
