"""FAISS on a GPU, where its build for GPUs is installed and sees one.

No GPU has run this: how it is chosen and what it returns is tested with a stand-in for FAISS's classes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.index.backends import load_faiss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.index.candidates import CandidateSearch
    from resonance_engine.index.vector_rows import VectorRows
    from resonance_engine.store.records import Matrix

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.int64]

log = logging.getLogger(__name__)

GPU_AFTER = 256  # queries that an index has answered: to copy it to a GPU takes as long as some hundred searches
MOST_FETCHED = 2048  # of one search by FAISS on a GPU
# Queries may be rounded to float16 there: of each number at most 2**-11 is lost.
GPU_ERROR = 1e-3


class GpuSearch:
    """Search on a GPU, with vectors as float16; by `other` where some rows do not count or many are fetched."""

    spare = 1.0

    def __init__(self, faiss: Any, vectors: VectorRows, other: CandidateSearch) -> None:
        self._other = other
        self._resources = faiss.StandardGpuResources()
        options = faiss.GpuIndexFlatConfig()
        options.useFloat16 = True
        self._index = faiss.GpuIndexFlatIP(self._resources, vectors.halves.shape[1], options)
        for block in vectors.blocks():
            self._index.add(block)

    def best(self, queries: Matrix, count: int, mask: Mask | None) -> tuple[Matrix, Rows, Array | None]:
        absent = 0 if mask is None else int(np.count_nonzero(~mask))
        if count + absent > MOST_FETCHED:
            return self._other.best(queries, count, mask)
        scores, rows = self._index.search(queries, count + absent)
        if mask is not None:
            keep = mask[rows] & (rows >= 0)
            order = np.argsort(~keep, axis=1, kind="stable")[:, :count]
            scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
        return scores, rows, GPU_ERROR * np.linalg.norm(queries, axis=1).astype(np.float64)

    def verify(self) -> None:
        self._other.verify()


def find_gpu() -> Any:
    """Return FAISS where it can use a GPU, else None."""
    faiss = load_faiss()
    return faiss if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0 else None


def gpu_search(vectors: VectorRows, other: CandidateSearch) -> CandidateSearch:
    """Return a search of vectors on a GPU; `other` where there is none, or where they do not fit into its memory."""
    try:
        faiss = find_gpu()
        return GpuSearch(faiss, vectors, other) if faiss is not None else other
    except RuntimeError as error:
        log.debug("no GPU searches the index: %s", error)
        return other
