"""Check an index file against the store, without trusting the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import format_count, printable
from resonance_engine.index.files import EMBEDDING, apply_changes, index_path, read_index
from resonance_engine.index.methods import LEAST_RECALL
from resonance_engine.index.statistics import VectorMoments, batches

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.index.vector_index import VectorIndex
    from resonance_engine.store import Store
    from resonance_engine.store.records import Ids, Matrix

SAMPLE = 64
NEIGHBOURS = 20
# Errors of float32 in a product of unit vectors, and in the share of one vector in the sums over all.
SCORE_ERROR = 1e-6
MOMENT_ERROR = 1e-5


def index_problem(store: Store, model_id: str, folder: Path, kind: str = EMBEDDING) -> str | None:
    """Return what is wrong with the index file of a model's embeddings, or of a facet, as a sentence; None if nothing.

    No file and one of an earlier state are sound, for the next query brings them up to date; so is one where FAISS,
    which alone reads it, is missing. Raises StoreError when the store can't be read.
    """
    path = index_path(folder, model_id, kind)
    try:
        index, generation = read_index(path, model_id, kind, verified=True)
    except (FileNotFoundError, ImportError):
        return None
    except Exception as error:  # whatever is in the file, and however FAISS fails
        return f"The index {printable(path)} can't be used: {error}."
    with store.read():
        if apply_changes(store, model_id, index, generation, kind) is None:
            return None  # no earlier state of this store: a query makes it again
        ids, vectors = store.vectors.matrix(model_id, kind)
    reason = disagreement(index, ids, vectors)
    return f"The index {printable(path)} disagrees with the database: {reason}." if reason else None


def disagreement(index: VectorIndex, ids: Ids, vectors: Matrix) -> str | None:
    """Return how an index differs from the vectors (n, d) that it should hold under ascending ids, None for not at all.

    Ids and sums over all vectors are compared whole; vectors and their nearest neighbours, which are searched one by
    one, for a sample of ids. Of an index that is not exact, the recall of the sample counts.
    """
    if not np.array_equal(index.ids, ids):
        odd = len(np.setxor1d(index.ids, ids))
        return f"{format_count(odd, 'vector')} {'is' if odd == 1 else 'are'} in one of them only"
    if not len(ids) or not np.isfinite(vectors).all():
        return None  # the check of the database reports what is not finite
    rows = sample_rows(len(ids))
    if not np.array_equal(index.vectors(ids[rows]), vectors[rows]):
        return "it holds other vectors"
    if _differ(index.moments, VectorMoments.empty(vectors.shape[1]).with_vectors(vectors)):
        return "its sums over all vectors are others"
    scores, neighbours = index.nearest(vectors[rows], NEIGHBOURS)
    queries = vectors[rows].astype(np.float64)
    expected = np.hstack([queries @ part.T.astype(np.float64) for part in batches(vectors)])
    best = -np.sort(-expected, axis=1)[:, : scores.shape[1]]
    claimed = np.take_along_axis(expected, np.searchsorted(ids, neighbours), axis=1)
    unequal = (np.abs(best - scores) > SCORE_ERROR) | (np.abs(claimed - scores) > SCORE_ERROR)
    if not index.scan.is_exact:
        recall = float((scores >= best[:, -1:] - SCORE_ERROR).mean())
        if recall < LEAST_RECALL:
            return f"it finds {recall:.1%} of the nearest vectors"
        unequal = np.abs(claimed - scores) > SCORE_ERROR
    wrong = int(unequal.any(axis=1).sum())
    return f"it finds other neighbours for {wrong} of {len(rows)} vectors" if wrong else None


def sample_rows(count: int) -> NDArray[np.int64]:
    """Return up to `SAMPLE` row numbers below `count`, spread evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).round().astype(np.int64))


def _differ(one: VectorMoments, other: VectorMoments) -> bool:
    error = MOMENT_ERROR * max(other.count, 1)
    return one.count != other.count or any(
        not (np.abs(mine - its) <= error).all() for mine, its in ((one.total, other.total), (one.moment, other.moment))
    )
