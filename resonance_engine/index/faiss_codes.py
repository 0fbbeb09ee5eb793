"""FAISS over arrays that it does not copy: the best rows of codes by inner product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.index.backends import load_faiss, search_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.store.records import Matrix

    Codes = NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.int64]


class CodeSearch:
    """Search of codes (n, d) of float32, float16, or of whole numbers from -127 to 127 that are kept plus 128."""

    def __init__(self, codes: Codes) -> None:
        faiss = self._faiss = load_faiss()
        self._codes = codes  # FAISS does not own it
        width, kinds = codes.shape[1], faiss.ScalarQuantizer
        if codes.dtype == np.float32:
            self._index = faiss.IndexFlatIP(width)
        else:
            kind = kinds.QT_fp16 if codes.dtype == np.float16 else kinds.QT_8bit_direct_signed
            self._index = faiss.IndexScalarQuantizer(width, kind, faiss.METRIC_INNER_PRODUCT)
        self._bytes = codes.reshape(-1).view(np.uint8)
        self._place(0, len(codes))

    def best(
        self, queries: Matrix, count: int, mask: Mask | None = None, start: int = 0, end: int | None = None
    ) -> tuple[Matrix, Rows]:
        """Return scores and rows of the `count` best of the rows from `start` to `end` that are in the `mask`.

        Both have the shape (q, count); where there are fewer rows, the rest is -inf and -1.
        """
        faiss = self._faiss
        end = len(self._codes) if end is None else end
        self._place(start, end)
        parameters = None
        if mask is not None:
            bits = np.packbits(mask[start:end], bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        with search_threads(faiss, len(queries)):
            scores, rows = self._index.search(queries, count, params=parameters)
        absent = rows < 0
        scores[absent] = -np.inf
        rows += start
        rows[absent] = -1
        return scores, rows

    def _place(self, start: int, end: int) -> None:
        """Let the index be of the rows from `start` to `end`."""
        width = self._bytes.size // max(len(self._codes), 1)
        attach(self._faiss, self._index, self._bytes[start * width : end * width])
        self._index.ntotal = end - start


def attach(faiss: Any, index: Any, codes: NDArray[np.uint8]) -> None:
    """Let a flat index of FAISS search an array in its place; ImportError for a FAISS that can't, such as 1.10."""
    view = getattr(faiss, "MaybeOwnedVectorUInt8", None)
    if view is not None:
        vector = view()
        vector.is_owned = False
        vector.view_data = vector.c_ptr = faiss.swig_ptr(codes) if codes.size else None
        vector.view_size = vector.c_size = codes.size
        index.codes = vector
    # Where these names mean nothing, FAISS would read beyond its memory.
    if view is None or index.codes.is_owned or index.codes.size() != codes.size:
        raise ImportError(
            f"FAISS {faiss.__version__} can't search an array in its place; install faiss-cpu 1.11 or newer"
        )
