"""Score recordings by a text: by the probabilities of their tags and by their measured attributes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from resonance_engine.search.text.parser import Meaning, TextQuery

Probabilities = NDArray[np.float32]
Scores = NDArray[np.float64]

LARGEST_DEVIATION = 4.0  # from the mean, in standard deviations
RAREST = 1e-5  # probability at which a logit is cut off; float16 still separates such ones


def measures(
    ids: NDArray[np.int64], known: NDArray[np.int64], attributes: Mapping[str, Sequence[object]]
) -> dict[str, Scores]:
    """Return measures of recordings by `ids`, (n,) each, from the attributes of the ids `known`, ascending.

    Tempo and brightness in octaves, energy in dB, mode 1 for a major and -1 for a minor key; NaN where not known. Of
    `attributes`, "tempo", "energy", "brightness" and "key" are used, as far as they are there.
    """
    places = np.searchsorted(known, ids)
    mask = np.isin(ids, known)
    columns = {}
    for name, column in attributes.items():
        if name in CONVERSIONS:
            measure, number = CONVERSIONS[name]
            values = np.full(len(ids), np.nan)
            values[mask] = np.array([number(value) for value in column], float)[places[mask]]
            columns[measure] = values
    return columns


def octaves(value: object) -> float:
    number = decibels(value)
    return math.log2(number) if number > 0 else math.nan


def decibels(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def mode(value: object) -> float:
    return {"major": 1.0, "minor": -1.0}.get(value.rpartition(" ")[2], math.nan) if isinstance(value, str) else math.nan


CONVERSIONS = {
    "tempo": ("tempo", octaves),
    "energy": ("energy", decibels),
    "brightness": ("brightness", octaves),
    "key": ("mode", mode),
}


def fits(query: TextQuery, tags: Sequence[str], probabilities: Probabilities, measured: Mapping[str, Scores]) -> Scores:
    """Return how well recordings fit each part, (parts, n), in standard deviations over these recordings.

    From the logits of `probabilities` (n, tags) and from `measured`, (n,) each, NaN where not known. All are
    standardised over the recordings, so that a tag which is rarely likely counts as much as a common one; what is
    unknown counts as typical. Raises ValueError for a text without parts.
    """
    if not query.parts:
        raise ValueError("nothing that is asked is understood")
    columns = {name: place for place, name in enumerate(tags)}
    standard: dict[str, Scores] = {}

    def fit(meaning: Meaning) -> Scores:
        total = np.zeros(len(probabilities))
        for name, weight in meaning.tags.items():
            if name not in standard:
                standard[name] = standardise(logits(probabilities[:, columns[name]]))
            total += weight * standard[name]
        for name, weight in meaning.measures.items():
            if name in measured:
                total += weight * standardise(measured[name])
        return standardise(total)

    best = [np.max([fit(meaning) for meaning in part.meanings], axis=0) for part in query.parts]
    return np.array([np.sign(part.weight) * each for each, part in zip(best, query.parts, strict=True)])


def soft_minimum(parts: Scores, weights: Collection[float]) -> Scores:
    """Return a soft minimum (n,) over parts (parts, n): a recording has to fit all, and most of all the heavy ones.

    - log of the weighted mean of exp(-fit): that of one part, or of equal ones, is the fit itself.
    """
    shares = np.array(list(weights)) / sum(weights)
    total: Scores = -np.log(shares @ np.exp(-parts))
    return total


def combine(similarity: Probabilities, fit: Scores, share: float = 0.5) -> Scores:
    """Combine similarity to seeds and fit of a text into one score, (n,), on the scale of the similarity, at most 1.

    `share` is that of the text, 0 to 1. Its fit gets the mean and deviation of the similarity over these recordings.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"the share of the words must lie between 0 and 1, not {share}")
    if not len(similarity):
        return np.empty(0)
    text = similarity.mean() + similarity.std() * standardise(fit)
    both: Scores = np.minimum((1 - share) * similarity + share * text, 1.0)
    return both


def logits(probabilities: Probabilities) -> Scores:
    """Return log odds; certainty counts as nearly certain."""
    clipped = np.clip(probabilities.astype(float), RAREST, 1 - RAREST)
    odds: Scores = clipped / (1 - clipped)
    return np.log(odds)


def standardise(values: Scores) -> Scores:
    """Return deviations from the mean in standard deviations, within ±4; 0 for NaN and where all are alike."""
    known = values[np.isfinite(values)]
    deviation = known.std() if len(known) else 0.0
    if deviation < 1e-9:
        return np.zeros(len(values))
    deviations: Scores = np.nan_to_num((values - known.mean()) / deviation)
    return deviations.clip(-LARGEST_DEVIATION, LARGEST_DEVIATION)
