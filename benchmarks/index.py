"""Measure methods of search, on vectors in clusters and on hard ones without, as rows of a table.

    python -m benchmarks.index [--tracks 12000 100000] [--vectors clustered hard] [--methods int8 ivf] [--searches 50]

Times are of the CPU, with one thread: the median of searches of the 20 nearest, of a loaded index; building it and
writing its file; loading that; adding and removing 100 vectors. Memory is the most of a process that loads the index
and searches once, above what it had before. A million vectors take 5 GB in all but `float32`, which takes 8. HNSW,
which the product does not have, stays in memory, and is searched as widely as recall needs; at a million it would be
built for half an hour.
"""

from __future__ import annotations

import os

# One thread; the libraries read these when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.measure import run_apart
from benchmarks.synthetic_vectors import KINDS, MODEL, ROWS_AT_A_TIME, WIDTH, draw_vectors
from resonance_engine.index.array_scan import ArrayScan
from resonance_engine.index.backends import load_faiss
from resonance_engine.index.files import load_index, read_method, save_index
from resonance_engine.index.methods import LEAST_RECALL, METHODS, build_requested
from resonance_engine.index.vector_index import VectorIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    Matrix = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]

HNSW = "hnsw"
HNSW_LINKS, HNSW_BREADTH = 16, 100
NEIGHBOURS = 20
QUERIES = 100
CHANGED = 100  # vectors that are added, and removed
COLUMNS = ("method", "search, ms", f"recall@{NEIGHBOURS}", "build, s", "file, MB", "memory, MB", "load, ms",
           "add, ms", "remove, ms", "as")  # fmt: skip


class Row(NamedTuple):
    """Measurements of one method: times, sizes, and what it came to."""

    search: float
    recall: float
    build: float
    file: float
    memory: float
    load: float
    add: float
    remove: float
    used: str


def query_rows(count: int) -> Ids:
    return np.linspace(0, count - 1, QUERIES).round().astype(np.int64)


def brute_force(halves: npt.NDArray[np.float16]) -> Ids:
    """Return the ids of the nearest of each query (q, NEIGHBOURS), by products with all vectors."""
    queries = halves[query_rows(len(halves))].astype(np.float32)
    starts = range(0, len(halves), ROWS_AT_A_TIME)
    scores = np.hstack([queries @ halves[start : start + ROWS_AT_A_TIME].astype(np.float32).T for start in starts])
    return np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def prepare(folder: Path, kind: str, tracks: int) -> None:
    """Write the vectors and what brute force finds."""
    halves = draw_vectors(kind, tracks)
    np.save(folder / "vectors.npy", halves)
    np.save(folder / "nearest.npy", brute_force(halves))


def build(folder: Path, method: str) -> float:
    """Build and write an index; return the seconds of CPU that this took."""
    halves = np.load(folder / "vectors.npy")
    start = time.process_time()
    segment, used = build_requested(np.arange(len(halves)), halves, method)
    index = VectorIndex(np.empty(0, np.int64), np.empty((0, WIDTH), np.float32), ArrayScan(WIDTH, segment, used))
    save_index(folder / f"{method}.index", index, MODEL.id, 1)
    return time.process_time() - start


def measure_memory(folder: Path, method: str) -> float:
    """Return the MB that loading an index and one search take."""
    load_faiss()
    query = np.load(folder / "vectors.npy", mmap_mode="r")[:1].astype(np.float32)
    before = peak_resident()
    loaded = load_index(folder / f"{method}.index", MODEL.id)
    assert loaded is not None, "it was written a moment ago"
    loaded[0].nearest(query, NEIGHBOURS)
    return peak_resident() - before


def measure_index(folder: Path, method: str, searches: int) -> Row:
    """Measure an index that was written; its `build` and `memory` are missing."""
    halves, nearest = np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "nearest.npy")
    queries = halves[query_rows(len(halves))].astype(np.float32)
    path = folder / f"{method}.index"
    load = statistics.median(milliseconds(lambda: load_index(path, MODEL.id)) for _ in range(5))
    loaded, used = load_index(path, MODEL.id), read_method(path)
    assert loaded is not None, "it was written a moment ago"
    assert used is not None, "it was written a moment ago"
    index = loaded[0]
    hits = index.nearest(queries, NEIGHBOURS)[1]
    search = median_search(lambda query: index.nearest(query, NEIGHBOURS), queries, searches)
    new = np.arange(len(halves), len(halves) + CHANGED)
    add = milliseconds(lambda: index.add(new, queries[:CHANGED]))
    remove = milliseconds(lambda: index.remove(range(0, len(halves), len(halves) // CHANGED)))
    probes = f", {used.probes} lists of {used.recall:.3f}" if used.name == "ivf" else ""
    return Row(search, recall_of(hits, nearest), 0, path.stat().st_size / 1e6, 0, load, add, remove, used.name + probes)


def measure_hnsw(folder: Path, searches: int) -> Row:
    """Measure a graph by Malkov & Yashunin 2018, searched as widely as it takes; FAISS cannot remove from one."""
    faiss: Any = load_faiss()
    halves, nearest = np.load(folder / "vectors.npy"), np.load(folder / "nearest.npy")
    queries = halves[query_rows(len(halves))].astype(np.float32)
    before, start = peak_resident(), time.process_time()
    graph = faiss.IndexHNSWSQ(WIDTH, faiss.ScalarQuantizer.QT_fp16, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = HNSW_BREADTH
    graph.train(halves[:ROWS_AT_A_TIME].astype(np.float32))
    for first in range(0, len(halves), ROWS_AT_A_TIME):
        graph.add(halves[first : first + ROWS_AT_A_TIME].astype(np.float32))
    built = time.process_time() - start
    breadth, recall = 32, 0.0
    while recall < LEAST_RECALL and breadth < 4096:
        breadth *= 2
        graph.hnsw.efSearch = breadth
        recall = recall_of(graph.search(queries, NEIGHBOURS)[1], nearest)
    search = median_search(lambda query: graph.search(query, NEIGHBOURS), queries, searches)
    path = folder / f"{HNSW}.faiss"
    faiss.write_index(graph, str(path))
    load = milliseconds(lambda: faiss.read_index(str(path)))
    add = milliseconds(lambda: graph.add(queries[:CHANGED]))
    memory = peak_resident() - before
    return Row(search, recall, built, path.stat().st_size / 1e6, memory, load, add, float("nan"), f"ef {breadth}")


def recall_of(hits: Ids, nearest: Ids) -> float:
    pairs = zip(hits, nearest, strict=True)
    return float(np.mean([len(np.intersect1d(one, other)) / len(other) for one, other in pairs]))


def median_search(search: Callable[[Matrix], object], queries: Matrix, searches: int) -> float:
    turns = (queries[turn % len(queries)][None] for turn in range(searches))
    return statistics.median(milliseconds(partial(search, query)) for query in turns)


def milliseconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return 1000 * (time.process_time() - start)


def peak_resident() -> float:
    """Return the peak memory of this process in MB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(folder: Path, method: str, searches: int) -> Row:
    """Measure one method in processes of its own."""
    if method == HNSW:
        return run_apart(partial(measure_hnsw, searches=searches), folder)
    seconds = run_apart(partial(build, method=method), folder)
    memory = run_apart(partial(measure_memory, method=method), folder)
    row = run_apart(partial(measure_index, method=method, searches=searches), folder)
    return row._replace(build=seconds, memory=memory)


def format_row(method: str, row: Row) -> str:
    """Return a row of the table."""
    places = (2, 4, 1, 0, 0, 1, 1, 1)
    numbers = " | ".join(f"{value:.{place}f}" for value, place in zip(row[:-1], places, strict=True))
    return f"| {method} | {numbers} | {row.used} |"


def main() -> None:
    """Print a table for each kind and number of vectors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tracks", type=int, nargs="+", default=[12_000, 100_000])
    parser.add_argument("--vectors", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, HNSW], default=[*METHODS])
    parser.add_argument("--searches", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="of the vectors and files, 5 GB for a million")
    options = parser.parse_args()
    for kind in options.vectors:
        for tracks in options.tracks:
            print(f"\n{tracks:,} {kind} vectors\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
            with tempfile.TemporaryDirectory(dir=options.folder) as name:
                run_apart(partial(prepare, kind=kind, tracks=tracks), Path(name))
                for method in options.methods:
                    print(format_row(method, measure(Path(name), method, options.searches)), flush=True)


if __name__ == "__main__":
    main()
