"""Unit vectors from fixed generators, in clusters or hard to search, and a store that is filled with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.store import Embedding, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.store import Store

    Halves = NDArray[np.float16]
    Matrix = NDArray[np.float32]

WIDTH = 512
MODEL = Model("benchmark", "benchmark", "1", WIDTH)
KINDS = CLUSTERED, HARD = "clustered", "hard"
CLUSTERS, CLUSTER_DIMENSIONS, HARD_DIMENSIONS = 300, 40, 96
ROWS_AT_A_TIME = 20_000


def draw_vectors(kind: str, count: int, seed: int = 0) -> Halves:
    """Draw unit vectors (count, WIDTH) as a store keeps them.

    Clustered ones lie in 300 soft clusters of 40 dimensions, roughly as embeddings of music do; hard ones anywhere in
    96 dimensions.
    """
    rng = np.random.default_rng(seed)
    dimensions = CLUSTER_DIMENSIONS if kind == CLUSTERED else HARD_DIMENSIONS
    basis = rng.standard_normal((dimensions, WIDTH)).astype(np.float32)
    centres = rng.standard_normal((CLUSTERS, dimensions)).astype(np.float32)
    halves = np.empty((count, WIDTH), np.float16)
    for start in range(0, count, ROWS_AT_A_TIME):
        rows = min(ROWS_AT_A_TIME, count - start)
        places = rng.standard_normal((rows, dimensions)).astype(np.float32)
        if kind == CLUSTERED:
            places = centres[rng.integers(CLUSTERS, size=rows)] + np.float32(0.5) * places
        vectors = places @ basis
        halves[start : start + rows] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return halves


def fill_store(store: Store, vectors: Matrix) -> None:
    """Put the vectors into a store, 1000 in a transaction."""
    store.models.register(MODEL)
    for start in range(0, len(vectors), 1000):
        part = vectors[start : start + 1000]
        store.vectors.put_many(
            MODEL.id, {(start + i).to_bytes(16, "big"): Embedding(vector) for i, vector in enumerate(part)}
        )
