"""Tracks with facets and years, and listeners whose taste is known, who put lists together and answer questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.taste.features import PairFeatures, PrincipalAxes
from resonance_engine.taste.lists import TrackList
from tests.embeddings import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.taste.questions import Answer

    Weights = NDArray[np.float64]

TRACKS = 150
SHARES = {"timbre": 0.8, "rhythm": 0.2}


def make_features(tracks: int = TRACKS) -> PairFeatures:
    """Facets that have nothing to do with each other, side by side in the embeddings; years from 1960 to 2019."""
    facets = {name: unit_vectors(tracks, seed=seed) for seed, name in enumerate(SHARES)}
    embedding = np.concatenate([np.sqrt(share) * facets[name] for name, share in SHARES.items()], axis=1)
    years = np.random.default_rng(7).integers(1960, 2020, tracks).astype(float)
    return PairFeatures.create(facets, SHARES, years, PrincipalAxes.fit(embedding, 4).project(embedding))


def taste_for(features: PairFeatures, **weights: float) -> Weights:
    """The weights of a listener, by name; all others are 0."""
    values = np.zeros(len(features.names))
    for name, weight in weights.items():
        values[features.names.index(name)] = weight
    return values


def make_lists(features: PairFeatures, taste: Weights, lists: int, size: int = 8) -> list[TrackList]:
    """Lists that begin anywhere and go on with tracks drawn by the softmax of their scores (Gumbel's trick)."""
    rng, count = np.random.default_rng(3), len(features.years)
    made = []
    for _ in range(lists):
        first = int(rng.integers(count))
        scores = features.to_all(first) @ taste + rng.gumbel(size=count)
        scores[first] = np.inf
        made.append(TrackList(np.argsort(-scores)[:size].astype(np.intp)))
    return made


def answer(features: PairFeatures, taste: Weights, question: Answer, rng: np.random.Generator) -> Answer:
    """The listener's answer, drawn by the softmax of both scores."""
    scores = features.to_all(question.anchor)[[question.chosen, question.other]] @ taste
    if rng.random() < 1 / (1 + np.exp(scores[1] - scores[0])):
        return question
    return question._replace(chosen=question.other, other=question.chosen)
