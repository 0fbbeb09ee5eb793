"""What a text asks for -> how well each recording fits it, by the tags that it was given and by what was measured."""

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

FURTHEST = 4.0  # deviations from the mean that still count
RAREST = 1e-5  # probability at which a logit is cut off; float16 still tells such ones apart


def measures(
    ids: NDArray[np.int64], known: NDArray[np.int64], attributes: Mapping[str, Sequence[object]]
) -> dict[str, Scores]:
    """Measures of recordings by `ids`, (n,) each, from the attributes of those with the ids `known`, ascending.

    Tempo and brightness in octaves, energy in dB, mode 1 for a major and -1 for a minor key; NaN where not known. Of
    `attributes`, "tempo", "energy", "brightness" and "key" are used, as far as they are there.
    """
    places = np.searchsorted(known, ids)
    found = np.isin(ids, known)
    made = {}
    for name, column in attributes.items():
        if name in CONVERSIONS:
            measure, number = CONVERSIONS[name]
            values = np.full(len(ids), np.nan)
            values[found] = np.array([number(value) for value in column], float)[places[found]]
            made[measure] = values
    return made


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


def scores(
    asked: TextQuery, tags: Sequence[str], probabilities: Probabilities, measured: Mapping[str, Scores]
) -> Scores:
    """How well recordings fit what is asked, (n,), in standard deviations of one word over these recordings.

    0 is typical of them, 2 stands out like the best few of a hundred, in all words at once: `softest` of `fits`.
    Raises ValueError where nothing is asked.
    """
    return softest(fits(asked, tags, probabilities, measured), [abs(part.weight) for part in asked.parts])


def fits(asked: TextQuery, tags: Sequence[str], probabilities: Probabilities, measured: Mapping[str, Scores]) -> Scores:
    """How well recordings fit each part, (parts, n), in standard deviations over these recordings.

    From the logits of `probabilities` (n, tags) and from `measured`, (n,) each, NaN where not known. All are
    standardised over the recordings, so that a tag which is rarely likely counts as much as a common one; what is not
    known counts as typical.
    """
    if not asked.parts:
        raise ValueError("nothing that is asked is understood")
    columns = {name: place for place, name in enumerate(tags)}
    standard: dict[str, Scores] = {}

    def fit(meaning: Meaning) -> Scores:
        total = np.zeros(len(probabilities))
        for name, weight in meaning.tags.items():
            if name not in standard:
                standard[name] = standardised(logits(probabilities[:, columns[name]]))
            total += weight * standard[name]
        for name, weight in meaning.measures.items():
            if name in measured:
                total += weight * standardised(measured[name])
        return standardised(total)

    best = [np.max([fit(meaning) for meaning in part.meanings], axis=0) for part in asked.parts]
    return np.array([np.sign(part.weight) * each for each, part in zip(best, asked.parts, strict=True)])


def softest(parts: Scores, weights: Collection[float]) -> Scores:
    """A soft minimum over parts (parts, n), (n,): a recording has to fit all of them, and most of all the heavy ones.

    - log of the weighted mean of exp(-fit): that of one part, or of equal ones, is the fit itself.
    """
    shares = np.array(list(weights)) / sum(weights)
    total: Scores = -np.log(shares @ np.exp(-parts))
    return total


def combined(similarity: Probabilities, fit: Scores, share: float = 0.5) -> Scores:
    """Similarity to seeds and fit of words as one score, (n,), on the scale of the similarity, at most 1.

    `share` is that of the words, 0 to 1. They are given the mean and deviation of the similarity over these recordings.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"the share of the words must lie between 0 and 1, not {share}")
    if not len(similarity):
        return np.empty(0)
    spoken = similarity.mean() + similarity.std() * standardised(fit)
    both: Scores = np.minimum((1 - share) * similarity + share * spoken, 1.0)
    return both


def logits(probabilities: Probabilities) -> Scores:
    """Log odds; of certainty too, which is taken for nearly certain."""
    sure = np.clip(probabilities.astype(float), RAREST, 1 - RAREST)
    odds: Scores = sure / (1 - sure)
    return np.log(odds)


def standardised(values: Scores) -> Scores:
    """Deviations from the mean in standard deviations, within ±4; 0 for NaN and where all are alike."""
    known = values[np.isfinite(values)]
    deviation = known.std() if len(known) else 0.0
    if deviation < 1e-9:
        return np.zeros(len(values))
    away: Scores = np.nan_to_num((values - known.mean()) / deviation)
    return away.clip(-FURTHEST, FURTHEST)
