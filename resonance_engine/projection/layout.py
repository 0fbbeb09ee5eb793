"""A 2-D layout of vectors by t-SNE over their exact nearest neighbours.

Van der Maaten and Hinton, "Visualizing data using t-SNE" (2008); Linderman et al., "Fast interpolation-based t-SNE"
(2019); from principal components and with a high learning rate, as Kobak and Berens, "The art of using t-SNE for
single-cell transcriptomics" (2019). docs/map.md compares it with others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

PERPLEXITY = 20.0
NEIGHBOURS_PER_PERPLEXITY = 3
FEWEST = 10  # tracks that t-SNE has enough neighbours of
EARLY, LATE = 250, 500  # iterations, with exaggeration and without
EXAGGERATION = 12.0
STEP = 50  # iterations between two reports
SEED = 1234
BLOCK = 8_192  # vectors that are copied at a time
INTERPOLATED = 5_000  # tracks from which on interpolation is faster than a tree


def count_steps(tracks: int) -> int:
    """Return how often `compute_layout` reports progress."""
    return (EARLY + LATE) // STEP if tracks >= FEWEST else 0


def compute_layout(vectors: Vectors, advance: Callable[[int], object] = lambda _: None) -> Vectors:
    """Return points (n, 2) for unit vectors (n, d), n >= 1, near each other where the vectors are.

    The same vectors in the same order give the same points. `advance` is called with 1 after each part of the work.
    Needs openTSNE, of the extra `viz`; ImportError without it.
    """
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    count = len(vectors)
    start = principal_components(vectors)
    if count < FEWEST:
        return start.astype(np.float32)
    perplexity = min(PERPLEXITY, (count - 1) / NEIGHBOURS_PER_PERPLEXITY)
    neighbours, distances = find_neighbours(vectors, min(count - 1, round(NEIGHBOURS_PER_PERPLEXITY * perplexity)))
    affinities = PerplexityBasedNN(
        perplexity=perplexity, knn_index=PrecomputedNeighbors(neighbours, distances), n_jobs=1, random_state=SEED
    )
    # Beginning small lets groups pass through each other; one thread sums in the same order each time.
    embedding = TSNEEmbedding(
        start / max(float(start[:, 0].std()), 1e-12) * 1e-4,
        affinities,
        negative_gradient_method="fft" if count >= INTERPOLATED else "bh",
        n_jobs=1,
        random_state=SEED,
    )

    def report(*_: object) -> None:
        advance(1)

    progress = {"callbacks": [report], "callbacks_every_iters": STEP, "inplace": True}
    embedding.optimize(EARLY, exaggeration=EXAGGERATION, momentum=0.5, **progress)
    embedding.optimize(LATE, momentum=0.8, **progress)
    return np.asarray(embedding, np.float64).astype(np.float32)


def find_neighbours(vectors: Vectors, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest `count` others of each unit vector (n, d) and their cosine distances, (n, count) each."""
    import faiss

    scores, places = faiss.knn(vectors, vectors, count + 1, metric=faiss.METRIC_INNER_PRODUCT)
    # The vector itself is among them, but of several equal ones perhaps not the first, or not at all.
    is_other = places != np.arange(len(vectors))[:, None]
    is_other[is_other.all(axis=1), -1] = False
    shape = len(vectors), count
    return places[is_other].reshape(shape), np.maximum(1.0 - scores[is_other].reshape(shape), 0.0).astype(np.float64)


def principal_components(vectors: Vectors) -> NDArray[np.float64]:
    """Return the first two principal components (n, 2) of vectors (n, d); the greatest entry of an axis is positive."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    # In blocks, for a copy of all in double precision would be the most that a map takes.
    blocks = [slice(start, start + BLOCK) for start in range(0, len(vectors), BLOCK)]
    scatter = np.zeros((vectors.shape[1], vectors.shape[1]))
    for block in blocks:
        centred = vectors[block] - mean
        scatter += centred.T @ centred
    _, axes = np.linalg.eigh(scatter)
    axes = axes[:, :-3:-1] if vectors.shape[1] > 1 else np.hstack([axes, np.zeros((1, 1))])
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    points: NDArray[np.float64] = np.concatenate([(vectors[block] - mean) @ axes for block in blocks])
    return points
