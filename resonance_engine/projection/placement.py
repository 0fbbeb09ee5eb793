"""Places of new vectors on a map: amid their nearest mapped neighbours, which stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.index.vector_index import VectorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

NEIGHBOURS = 5


def place_vectors(vectors: Vectors, mapped: Vectors, points: Vectors) -> Vectors:
    """Return points (n, 2) for unit vectors (n, d), from the points (m, 2) of mapped vectors (m, d), m >= 1.

    Each is the median of the points of its nearest neighbours, by coordinate. A mean would lie between two regions
    where the neighbours are of both, and in neither; docs/map.md compares them.
    """
    if not len(vectors):
        return np.empty((0, 2), np.float32)
    index = VectorIndex(np.arange(len(mapped), dtype=np.int64), mapped)
    _, places = index.nearest(vectors, NEIGHBOURS)
    return np.median(points[places], axis=1).astype(np.float32)
