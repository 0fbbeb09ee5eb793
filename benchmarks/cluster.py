"""Tracks per second of an analysis by the workers of a Dask cluster, beside those of this machine's own processes.

    python -m benchmarks.cluster FOLDER [--tracks 48] [--workers 1 2] [--runs 3] [--model PATH]

The cluster is a scheduler and that many workers with one thread each, all on this machine; the ways take turns. Workers
and models are loaded before the clock starts, and nothing is stored. Beside the rate stands the CPU time of this
process per track, which is what a client costs that feeds many machines; that of the scheduler is not in it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import LocalCluster

from resonance_engine.audio.music_files import find_music
from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.pool import ClusterPool
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.console import positive
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.worker.worker import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resonance_engine.ingest import AnalysisPool

LOCAL, PATHS, CONTENT = "local", "cluster, paths", "cluster, --send-files"
WARM = 4  # files for each worker before the clock starts, so that all have loaded the model


def open_pool(stack: ExitStack, way: str, workers: int, model: Path) -> AnalysisPool:
    """Return a pool of so many workers, which ends with the stack."""
    if way == LOCAL:
        return stack.enter_context(closing(WorkerPool(model, workers)))
    cluster = stack.enter_context(
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=40)
    )
    settings = ClusterSettings(cluster.scheduler_address, sends_files=way == CONTENT)
    connection = stack.enter_context(closing(SchedulerConnection(settings)))
    return stack.enter_context(closing(ClusterPool(connection, model)))


def measure(way: str, workers: int, files: Sequence[Path], model: Path) -> tuple[float, float]:
    """Return the tracks per second, and this process's CPU milliseconds for each."""
    with ExitStack() as stack:
        pool = open_pool(stack, way, workers, model)
        pool.description()
        for _ in pool.analyse(files[: WARM * workers]):
            pass
        started, spent = time.perf_counter(), time.process_time()
        done = sum(result is not None for result in pool.analyse(files))
        seconds, cpu = time.perf_counter() - started, time.process_time() - spent
    return done / seconds, 1000 * cpu / done


def describe(rates: dict[tuple[str, int], list[tuple[float, float]]]) -> Iterator[str]:
    """Yield the lines of a table: medians over the runs."""
    yield f"{'':24} {'workers':>7} {'tracks/s':>9} {'client ms/track':>16}"
    for (way, workers), values in rates.items():
        rate, cpu = (statistics.median(column) for column in zip(*values, strict=True))
        yield f"{way:24} {workers:>7} {rate:>9.2f} {cpu:>16.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--tracks", type=positive, default=48, metavar="N")
    parser.add_argument("--workers", type=positive, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--runs", type=positive, default=3, metavar="N")
    parser.add_argument("--model", type=Path, default=SHIPPED, metavar="PATH")
    options = parser.parse_args()
    files = find_music(options.folder).paths[: options.tracks]
    rates: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(options.runs):
        for workers in options.workers:
            for way in (LOCAL, PATHS, CONTENT):
                rates[way, workers].append(measure(way, workers, files, options.model))
                print(f"{way}, {workers}: {rates[way, workers][-1][0]:.2f} tracks/s", file=sys.stderr)
    for line in describe(rates):
        print(line)


if __name__ == "__main__":
    main()
