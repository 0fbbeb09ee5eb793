"""Measure time and memory of building, opening and searching the index.

    python -m benchmarks.index [--tracks 12000 100000] [--repeats 7]

Searches by FAISS, by numpy and by a bare matrix product take turns, so that other load on the machine meets
all of them alike; times are medians in milliseconds of wall time.
"""

from __future__ import annotations

import os

# One thread; the libraries read these when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.measure import median_times, run_apart
from resonance_engine.index.backends import FaissScan, NumpyScan
from resonance_engine.index.files import index_path, load_index, open_index, save_index
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Model, Store

if TYPE_CHECKING:
    from collections.abc import Callable

Matrix = npt.NDArray[np.float32]

MODEL = Model("benchmark", "benchmark", "1", 512)
NEIGHBOURS = 20


def draw_vectors(tracks: int, seed: int = 0) -> Matrix:
    """Draw unit vectors from 300 soft clusters of a 40-dimensional space, roughly as embeddings of music lie."""
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((40, MODEL.dimensions)).astype(np.float32)
    centres = rng.standard_normal((300, 40)).astype(np.float32)
    spread = 0.5 * rng.standard_normal((tracks, 40)).astype(np.float32)
    vectors: Matrix = (centres[rng.integers(300, size=tracks)] + spread) @ basis
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def fill_store(store: Store, vectors: Matrix) -> None:
    """Put the vectors into a store, 1000 in a transaction."""
    store.models.register(MODEL)
    for start in range(0, len(vectors), 1000):
        part = vectors[start : start + 1000]
        store.vectors.put_many(
            MODEL.id, {(start + i).to_bytes(16, "big"): Embedding(vector) for i, vector in enumerate(part)}
        )


def product(vectors: Matrix, queries: Matrix) -> npt.NDArray[np.intp]:
    """Return the neighbours by one matrix product, equal scores in any order."""
    scores = queries @ vectors.T
    best = np.argpartition(scores, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def peak_memory(database: Path) -> tuple[float, float]:
    """Return the peak MB of this process before and after it opens the index and searches once."""
    query = np.eye(1, MODEL.dimensions, dtype=np.float32)
    FaissScan(MODEL.dimensions)
    with Store(database) as store:
        store.models.all()
        before = peak_resident()
        open_index(store, MODEL.id, database.parent).nearest(query, NEIGHBOURS)
    return before, peak_resident()


def peak_resident() -> float:
    """Return the peak memory of this process in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure_library(tracks: int, repeats: int, folder: Path) -> None:
    """Print the numbers of one size of library."""
    vectors = draw_vectors(tracks)
    with Store(folder / "resonance.db") as store:
        fill_store(store, vectors)
        path = index_path(folder, MODEL.id)
        built = run_apart(peak_memory, store.path)
        opened = run_apart(peak_memory, store.path)
        ids, stored = store.vectors.matrix(MODEL.id)
        index, plain = VectorIndex(ids, stored), VectorIndex(ids, stored, NumpyScan(MODEL.dimensions))
        opening = {
            "read the store": lambda: store.vectors.matrix(MODEL.id),
            "build the index": lambda: VectorIndex(ids, stored),
            "write its file": lambda: save_index(path, index, MODEL.id, store.generation),
            "load its file": lambda: load_index(path, MODEL.id),
            "open it unchanged": lambda: open_index(store, MODEL.id, folder),
        }
        milliseconds = median_times(opening, max(3, repeats // 2), time.process_time)

    print(f"\n{tracks:,} tracks, {path.stat().st_size / 1e6:.0f} MB on disk")
    for step, value in milliseconds.items():
        print(f"  {step:<17}{value:9.1f} ms")
    print(f"  memory, made     {built[1] - built[0]:9.0f} MB over {built[0]:.0f}")
    print(f"  memory, loaded   {opened[1] - opened[0]:9.0f} MB over {opened[0]:.0f}")
    for label, queries in (("one query", stored[:1]), ("64 queries, each", stored[:64])):
        searches: dict[str, Callable[[], object]] = {
            "faiss": partial(index.nearest, queries, NEIGHBOURS),
            "numpy": partial(plain.nearest, queries, NEIGHBOURS),
            "product": partial(product, stored, queries),
        }
        times = median_times(searches, repeats, time.process_time)
        row = ", ".join(f"{name} {value / len(queries):.2f}" for name, value in times.items())
        print(f"  {label:<17} {row} ms; faiss takes {times['faiss'] / times['product']:.2f} of the product")
    agreement = np.mean(index.nearest(stored[:64], NEIGHBOURS)[1] == ids[product(stored, stored[:64])])
    print(f"  neighbours as by the product: {agreement:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tracks", type=int, nargs="+", default=[12_000, 100_000])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    for tracks in options.tracks:
        with tempfile.TemporaryDirectory() as folder:
            measure_library(tracks, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
