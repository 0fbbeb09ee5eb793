"""Pseudo-relevance feedback: let the first hits say more clearly what was meant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def centroid(seeds: Vectors) -> Vectors:
    """The direction that several unit vectors (n, d) share, as one unit vector (d,)."""
    return unit(seeds.sum(axis=0))


def expanded(query: Vectors, hits: Vectors) -> Vectors:
    """The query moved towards its first hits (n, d): normalised (q + e_1 + ... + e_n) / (n + 1)."""
    return unit((query + hits.sum(axis=0)) / (len(hits) + 1))


def unit(vector: Vectors) -> Vectors:
    """The vector at length one; opposite seeds that cancel out leave a zero vector, which likes nothing."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 1e-12 else np.zeros_like(vector)
