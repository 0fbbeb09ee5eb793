"""Score recordings by a text: by the probabilities of their tags and by their measured attributes.

Candidates are ranked by how well they fit it, alone or beside their similarity to seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resonance_engine.search.ranking import CandidatePool, fetch_candidates, negative_penalty, score_candidates

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from resonance_engine.search.ranking import Query, Ranking
    from resonance_engine.search.text.parser import Meaning, TextQuery

Probabilities = NDArray[np.float32]
Scores = NDArray[np.float64]
Ids = NDArray[np.int64]

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


@dataclass(frozen=True, eq=False)
class TextFit:
    """How well recordings fit a text: vector `ids` (n,), ascending, and `fit` (n,) in standard deviations."""

    ids: Ids
    fit: Scores

    def restrict(self, query: Query) -> TextFit:
        """Keep the recordings that may come up in a query."""
        mask = query.vectors.has(self.ids) & ~np.isin(self.ids, np.fromiter(query.exclude, np.int64))
        if query.allowed is not None:
            mask &= np.isin(self.ids, query.allowed)
        return TextFit(self.ids[mask], self.fit[mask])

    def best(self, size: int) -> Ids:
        """Return the ids that fit best, in order; of equal ones the lower first."""
        return self.ids[np.lexsort((self.ids, -self.fit))[:size]]

    def of(self, ids: Ids) -> Scores:
        """Return the fit of some ids; unknown ones fit like a typical recording."""
        if not len(self.ids):
            return np.zeros(len(ids))
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[rows] == ids, self.fit[rows], 0.0)


def rank_by_text(text_fit: TextFit, query: Query, ranking: Ranking, size: int) -> CandidatePool:
    """Rank the candidates that fit a text best, for a query without seeds.

    The score is the share of recordings that would fit a single word worse: 0.98 stands out like two in a hundred. The
    penalty for similarity to negative seeds is subtracted, as in `ranking.score_candidates`.
    """
    ids = text_fit.best(size)
    vectors = query.vectors.vectors(ids)
    scores = share_below(text_fit.of(ids)) - negative_penalty(query, ranking.hubness, ids, vectors)
    return CandidatePool.ordered(ids, scores, vectors, size >= len(text_fit.ids))


def share_below(deviations: Scores) -> Scores:
    """Return the shares (n,) of recordings that fit worse than so many standard deviations above the mean."""
    cumulative = NormalDist().cdf
    return np.array([cumulative(each) for each in deviations.tolist()], np.float64)


def rank_by_text_and_seeds(text_fit: TextFit, query: Query, ranking: Ranking, size: int) -> CandidatePool:
    """Rank the candidates that are close to seeds and fit a text, half by half; the query is from `ranking.refine`."""
    near, complete = fetch_candidates(query, size)
    ids = np.union1d(near, text_fit.best(size))
    for index in {id(layer.index): layer.index for layer in query.layers}.values():
        ids = ids[index.has(ids)]
    vectors = query.vectors.vectors(ids)
    similarity = score_candidates(query, ranking.hubness, ids, vectors).astype(np.float32)
    scores = combine(similarity, text_fit.of(ids))
    return CandidatePool.ordered(ids, scores, vectors, complete and size >= len(text_fit.ids))
