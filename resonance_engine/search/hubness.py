"""Hubness correction by mutual proximity: a neighbour is near when it is near from both sides."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from resonance_engine.index.statistics import VectorMoments

Array = NDArray[np.float64]

FARTHEST = 1e-300  # the smallest chance that is distinguished from 0


def mutual_proximity(
    similarity: Array, of_queries: tuple[Array, Array], of_candidates: tuple[Array, Array], moments: VectorMoments
) -> Array:
    """Correct similarities (queries, candidates) for hubness, on the scale of a cosine.

    Gaussian mutual proximity (Schnitzer et al. 2012): the chance that a random track is farther from the query than the
    candidate is, times the chance that one is farther from the candidate than the query is; each track's similarities
    to all others are assumed to be normally distributed, with the mean and deviation given. The geometric mean of both
    chances is turned back into the similarity that it would mean between two tracks of average mean and deviation: of
    two such, the result is their cosine. It can exceed 1 where both lie far from all others; rankings keep that, what
    is shown is cut to 1.
    """
    tails = [
        upper_tail((similarity - mean) / deviation)
        for mean, deviation in ((each[:, None] for each in of_queries), of_candidates)
    ]
    # In tails, for the chances of near neighbours round to 1.
    both = -np.expm1(0.5 * (np.log1p(-np.minimum(tails[0], 1 - 1e-16)) + np.log1p(-np.minimum(tails[1], 1 - 1e-16))))
    return moments.mean + moments.deviation * deviations_from(both)


def upper_tail(z: Array) -> Array:
    """Return the chance that a standard normal number exceeds each of these.

    In Python, as the inverse below: to import scipy.special takes 0.4 s, longer than a query.
    """
    chances = np.array([math.erfc(each) for each in (z * math.sqrt(0.5)).ravel().tolist()], np.float64)
    return 0.5 * chances.reshape(z.shape)


def deviations_from(tail: Array) -> Array:
    """Invert `upper_tail`."""
    inverse = NormalDist().inv_cdf
    within = np.clip(tail, FARTHEST, 1 - 1e-16).ravel().tolist()
    return -np.array([inverse(each) for each in within], np.float64).reshape(tail.shape)
