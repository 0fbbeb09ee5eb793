"""What finds the best of vectors: plain FAISS, as catalogs keep it, or numpy; see also `array_scan`.

Vectors are held as float16, as they are stored, so nothing is lost; see `store.records`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resonance_engine.store.records import Ids, Matrix

# Scores that are computed in float32 are within this of the true ones, times the length of the query.
SCAN_ERROR = 1e-5
QUERIES_PER_THREAD = 16
SIZE = 8  # bytes of a size in FAISS's files


class Scan(Protocol):
    """Vectors by id, of values that float16 can hold.

    Callers pass unique ids, new ones to `add` and known ones to the rest.
    """

    dimensions: int

    @property
    def is_exact(self) -> bool:
        """Whether `best` misses none of the best."""
        ...

    def ids(self) -> Ids: ...

    def add(self, ids: Ids, vectors: Matrix) -> None: ...

    def remove(self, ids: Ids) -> object: ...

    def vectors(self, ids: Ids) -> Matrix: ...

    def best(self, queries: Matrix, count: int, allowed: Ids | None, excluded: Ids | None) -> tuple[Matrix, Ids]:
        """Return scores, to float32 rounding, and ids of the `count` best, best first, both of shape (q, count).

        At most one of `allowed` and `excluded` is given, and at least `count` vectors are left by it.
        """
        ...


class FaissScan:
    """A FAISS flat index of float16 codes."""

    is_exact = True

    def __init__(self, dimensions: int, index: Any = None) -> None:
        faiss = self._faiss = load_faiss()
        self.dimensions = dimensions
        self.index = index or faiss.IndexIDMap2(
            faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        )
        self.vectors: Callable[[Ids], Matrix] = self.index.reconstruct_batch
        self.remove: Callable[[Ids], object] = self.index.remove_ids

    @classmethod
    def read(cls, file: BinaryIO) -> Self:
        """Read what `to_bytes` wrote, from the position of the file; ValueError for anything else.

        FAISS allocates memory, and later reads from it, by numbers in the file. So everything in it but vectors and ids
        is compared with an index of ours.
        """
        faiss = load_faiss()
        start = file.tell()
        length = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        beginning = file.read(16)
        width, rows = int.from_bytes(beginning[4:8], "little"), int.from_bytes(beginning[8:16], "little")
        # First the size, so that no width is believed that the file has no room for.
        if not 1 <= width <= length or rows * 2 * width + SIZE * rows > length:
            raise ValueError("not a FAISS index")
        head = cls(width).head(rows)
        file.seek(start)
        if file.read(len(head)) != head or file.read(SIZE) != _size(2 * width * rows):
            raise ValueError("not a FAISS index, or one of another kind than Resonance writes")
        file.seek(2 * width * rows, os.SEEK_CUR)
        if file.read(SIZE) != _size(rows) or file.tell() + SIZE * rows > start + length:
            raise ValueError("a damaged FAISS index")
        file.seek(start)
        try:
            # By parts: the whole file and the index in memory would be too much at once.
            return cls(width, faiss.read_index(faiss.PyCallbackIOReader(file.read)))
        except (RuntimeError, MemoryError) as error:
            raise ValueError("not a FAISS index") from error

    def head(self, rows: int) -> bytes:
        """Return what precedes the codes, and their size, in the file of an index of so many vectors."""
        empty, one = (FaissScan(self.dimensions) for _ in range(2))
        one.add(np.zeros(1, np.int64), np.zeros((1, self.dimensions), np.float32))
        nothing, something = empty.to_bytes(), one.to_bytes()
        head = bytearray(nothing[: -2 * SIZE])  # the sizes of codes and ids end it
        for place in range(len(head)):
            if nothing[place] != something[place]:  # how many vectors there are
                head[place : place + SIZE] = _size(rows)
        return bytes(head)

    def to_bytes(self) -> bytes:
        """Return the index in FAISS's file format."""
        content: bytes = self._faiss.serialize_index(self.index).tobytes()
        return content

    def ids(self) -> Ids:
        ids: Ids = self._faiss.vector_to_array(self.index.id_map)
        return ids

    def add(self, ids: Ids, vectors: Matrix) -> None:
        self.index.add_with_ids(vectors, ids)

    def best(self, queries: Matrix, count: int, allowed: Ids | None, excluded: Ids | None) -> tuple[Matrix, Ids]:
        faiss, parameters = self._faiss, None
        if allowed is not None:
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        elif excluded is not None:
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorNot(faiss.IDSelectorBatch(excluded)))
        with search_threads(faiss, len(queries)):
            scores, ids = self.index.search(queries, count, params=parameters)
        return scores, ids


class NumpyScan:
    """A matrix with rows in order of id."""

    is_exact = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._ids: Ids = np.empty(0, np.int64)
        self._vectors: Matrix = np.empty((0, dimensions), np.float32)

    def ids(self) -> Ids:
        return self._ids.copy()

    def add(self, ids: Ids, vectors: Matrix) -> None:
        every = np.concatenate([self._ids, ids])
        order = np.argsort(every)
        self._ids, self._vectors = every[order], np.concatenate([self._vectors, vectors])[order]

    def remove(self, ids: Ids) -> None:
        self._vectors = np.delete(self._vectors, self._rows(ids), axis=0)
        self._ids = np.delete(self._ids, self._rows(ids))

    def vectors(self, ids: Ids) -> Matrix:
        found: Matrix = self._vectors[self._rows(ids)]
        return found

    def best(self, queries: Matrix, count: int, allowed: Ids | None, excluded: Ids | None) -> tuple[Matrix, Ids]:
        if allowed is not None:
            rows = self._rows(allowed)
            ids, scores = self._ids[rows], queries @ self._vectors[rows].T
        else:
            ids, scores = self._ids, queries @ self._vectors.T
        if excluded is not None:
            scores[:, self._rows(excluded)] = -np.inf
        if count < len(ids):
            columns = np.argpartition(scores, -count, axis=1)[:, -count:]
        else:
            columns = np.broadcast_to(np.arange(len(ids)), scores.shape)
        scores = np.take_along_axis(scores, columns, axis=1)
        order = np.argsort(-scores, axis=1)
        return np.take_along_axis(scores, order, axis=1), ids[np.take_along_axis(columns, order, axis=1)]

    def _rows(self, ids: Ids) -> Ids:
        rows: Ids = np.searchsorted(self._ids, ids)
        return rows


def _size(count: int) -> bytes:
    return count.to_bytes(SIZE, "little")


def load_faiss() -> Any:
    """Import FAISS; ImportError, with the reason, where it is missing or doesn't run."""
    try:
        import faiss
    except Exception as error:  # A native library fails to load in many ways.
        raise ImportError(f"FAISS can't be loaded ({error}), install faiss-cpu") from error
    return faiss


@contextmanager
def search_threads(faiss: Any, queries: int) -> Iterator[None]:
    """Let FAISS search for so many queries with as many threads as bring something.

    It shares out queries, not vectors: for a few, waiting for idle threads costs more than it brings, thirty times the
    search itself on a busy machine. The setting is one of the calling thread.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(min(threads, 1 + queries // QUERIES_PER_THREAD))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
