"""Measure time and memory of building, opening and searching the index.

    python benchmarks/index.py [--tracks 12000 100000] [--repeats 7]

Searches by FAISS, by numpy and by a bare matrix product take turns, so that other load on the machine meets
all of them alike; times are medians in milliseconds of wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from resonance_engine.index.backends import FaissScan, NumpyScan
from resonance_engine.index.files import index_path, load_index, open_index, save_index
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Model, Store

if TYPE_CHECKING:
    from collections.abc import Callable

Matrix = npt.NDArray[np.float32]

MODEL = Model("benchmark", "benchmark", "1", 512)
NEIGHBOURS = 20
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


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


def median_times(repeats: int, **actions: Callable[[], object]) -> dict[str, float]:
    """Return median CPU milliseconds of actions that take turns."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, act in actions.items():
            start = time.process_time()
            act()
            times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def product(vectors: Matrix, queries: Matrix) -> npt.NDArray[np.intp]:
    """Return the neighbours by one matrix product, equal scores in any order."""
    scores = queries @ vectors.T
    best = np.argpartition(scores, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def peak_memory(database: Path) -> dict[str, float]:
    """Return the peak MB of a process before and after it opens the index and searches once."""
    command = [sys.executable, __file__, "--open", str(database)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(result.stdout)
    return found


def report_memory(database: Path) -> None:
    """Print the numbers of `peak_memory`, in the process that it starts."""
    query = np.eye(1, MODEL.dimensions, dtype=np.float32)
    FaissScan(MODEL.dimensions)
    with Store(database) as store:
        store.models.all()
        before = peak_resident()
        open_index(store, MODEL.id, database.parent).nearest(query, NEIGHBOURS)
    print(json.dumps({"before": before, "after": peak_resident()}))


def peak_resident() -> float:
    """Return the peak memory of this process in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure_library(tracks: int, repeats: int, folder: Path) -> None:
    """Print the numbers of one size of library."""
    vectors = draw_vectors(tracks)
    with Store(folder / "resonance.db") as store:
        filling = median_times(1, fill_store=lambda: fill_store(store, vectors))
        path = index_path(folder, MODEL.id)
        built = peak_memory(store.path)
        opened = peak_memory(store.path)
        ids, stored = store.vectors.matrix(MODEL.id)
        index, plain = VectorIndex(ids, stored), VectorIndex(ids, stored, NumpyScan(MODEL.dimensions))
        opening = median_times(
            max(3, repeats // 2),
            read=lambda: store.vectors.matrix(MODEL.id),
            build=lambda: VectorIndex(ids, stored),
            write=lambda: save_index(path, index, MODEL.id, store.generation),
            load=lambda: load_index(path, MODEL.id),
            open=lambda: open_index(store, MODEL.id, folder),
        )

    one, many = stored[:1], stored[:64]
    searching = median_times(
        repeats,
        faiss=lambda: index.nearest(one, NEIGHBOURS),
        numpy=lambda: plain.nearest(one, NEIGHBOURS),
        product=lambda: product(stored, one),
    )
    batch = median_times(
        repeats,
        faiss=lambda: index.nearest(many, NEIGHBOURS),
        numpy=lambda: plain.nearest(many, NEIGHBOURS),
        product=lambda: product(stored, many),
    )
    agreement = np.mean(index.nearest(many, NEIGHBOURS)[1] == ids[product(stored, many)])

    print(f"\n{tracks:,} tracks, {path.stat().st_size / 1e6:.0f} MB on disk")
    print(f"  fill the store   {filling['fill']:9.0f} ms")
    for name, what in (
        ("read", "read the store"),
        ("build", "build the index"),
        ("write", "write its file"),
        ("load", "load its file"),
        ("open", "open it unchanged"),
    ):
        print(f"  {what:<17}{opening[name]:9.1f} ms")
    print(f"  memory, made     {built['after'] - built['before']:9.0f} MB over {built['before']:.0f}")
    print(f"  memory, loaded   {opened['after'] - opened['before']:9.0f} MB over {opened['before']:.0f}")
    for label, times, queries in (("one query", searching, 1), ("64 queries, each", batch, 64)):
        row = ", ".join(f"{name} {value / queries:.2f}" for name, value in times.items())
        print(f"  {label:<17} {row} ms; faiss takes {times['faiss'] / times['product']:.2f} of the product")
    print(f"  neighbours as by the product: {agreement:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tracks", type=int, nargs="+", default=[12_000, 100_000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        report_memory(options.open)
        return
    if options.alone:
        with tempfile.TemporaryDirectory() as folder:
            measure_library(options.alone, options.repeats, Path(folder))
        return
    for tracks in options.tracks:
        command = [sys.executable, __file__, "--alone", str(tracks), "--repeats", str(options.repeats)]
        subprocess.run(command, check=True, env=os.environ | ONE_THREAD)


if __name__ == "__main__":
    main()
