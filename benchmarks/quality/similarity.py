"""Similarities within a pool: cosine, Euclidean distance, z-scores, mutual proximity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Pool = Mapping[str, NDArray[np.generic]]

Array = NDArray[np.float64]


def cosine(vectors: Array) -> Array:
    """Return the cosines (n, n) of vectors (n, d)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(unit @ unit.T)


def closeness(vectors: Array) -> Array:
    """Return negative Euclidean distances (n, n) of vectors (n, d)."""
    squares = np.square(vectors).sum(axis=1)
    distances: Array = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T, 0.0))
    return -distances


def z_scored(vectors: Array) -> Array:
    """Scale each column to mean 0 and deviation 1 over the pool; constant ones become 0. NaN rows do not take part."""
    deviation = np.nanstd(vectors, axis=0)
    scores: Array = (vectors - np.nanmean(vectors, axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return scores


def compared(name: str, measure: Callable[[Array], Array], z: bool = False) -> Callable[[Pool], Array]:
    """Return a similarity of the pool's array of this name; with `z`, of its z-scores over the pool."""

    def similarity(pool: Pool) -> Array:
        vectors = pool[name].astype(np.float64).reshape(len(pool[name]), -1)
        return measure(z_scored(vectors) if z else vectors)

    return similarity


def mutual_proximity(similarity: Array) -> Array:
    """Return the probability that two tracks are each other's neighbours, from similarities (n, n), n at least 3.

    Written independently of `resonance_engine.search.hubness`, as an oracle for it. Each track's distances to all
    others are taken as normally distributed, and independent of the other track's (Schnitzer et al. 2012, Local and
    global scaling reduce hubs in space, the Gaussian variant). A track's similarity to itself does not take part; rows
    and columns that are NaN stay so.
    """
    others = np.where(np.eye(len(similarity), dtype=bool), np.nan, similarity)
    known = ~np.isnan(others).all(axis=1)
    farther = np.full(similarity.shape, np.nan)
    rows = others[known]
    mean, deviation = np.nanmean(rows, axis=1, keepdims=True), np.nanstd(rows, axis=1, keepdims=True)
    farther[known] = ndtr((similarity[known] - mean) / np.where(deviation > 0, deviation, 1.0))
    both: Array = farther * farther.T
    return both
