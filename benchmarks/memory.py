"""Measure the peak memory of a command of beets, over all its processes.

    python -m benchmarks.memory [--threads N ...] [--tracks 100000] [--kept FOLDER] [--queries FOLDER]

`resonance analyze` runs on a library of ten-hour files and songs, queries on a synthetic library. Of memory that
processes share each counts its part (PSS), read every 20 ms; RSS counts it once for each process. The libraries are
created once in the folders that `--kept` and `--queries` name. Needs Linux. Exits with status 1 where a command exceeds
its limit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.long_music import create_long_library
from benchmarks.synthetic_library import create_library

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
SECONDS = 0.02  # between two readings
ANALYZE_LIMIT, QUERY_LIMIT = 700, 600  # MB
QUERIES = (("similar", "id:1"), ("similar", "--weights", "timbre=1,rhythm=2", "id:1"))


class MemoryUse(NamedTuple):
    """MB of one process or several."""

    pss: float = 0.0
    rss: float = 0.0


class PeakUse(NamedTuple):
    """Peaks of a command's memory, its most processes, and its seconds."""

    read_memory: MemoryUse
    processes: int
    seconds: float


def measure_peak(home: Path, command: Sequence[str]) -> PeakUse:
    """Run a command of beets and measure it; exits with its output where it fails."""
    environment = {**os.environ, "BEETSDIR": str(home), "PYTHONPATH": str(ROOT)}
    most, processes = MemoryUse(), 0
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        run = [sys.executable, "-m", "beets", *command]
        with subprocess.Popen(run, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
            while process.poll() is None:
                uses = [read_memory(each) for each in process_tree(process.pid)]
                total = MemoryUse(*(sum(column) for column in zip(*uses, strict=True)))
                most = MemoryUse(*map(max, most, total))
                processes = max(processes, len(uses))
                time.sleep(SECONDS)
        if process.returncode:
            output.seek(0)
            sys.exit(f"beet {' '.join(command)} failed: {output.read().decode(errors='replace')}")
    return PeakUse(most, processes, time.perf_counter() - start)


def process_tree(process: int) -> list[int]:
    """Return a process and all its descendants."""
    tree = [process]
    for one in tree:
        try:
            lists = [path.read_text(encoding="ascii") for path in Path(f"/proc/{one}/task").glob("*/children")]
        except OSError:  # it ended meanwhile
            continue
        tree += [int(child) for children in lists for child in children.split()]
    return tree


def read_memory(process: int) -> MemoryUse:
    """Return the memory of a process; none once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return MemoryUse()
    sizes = {name: int(size.split()[0]) / 1024 for name, _, size in (line.partition(":") for line in lines)}
    return MemoryUse(sizes.get("Pss", 0.0), sizes.get("Rss", 0.0))


def check_limit(home: Path, command: Sequence[str], limit: int) -> bool:
    """Run a command, print its memory, and return whether it stays within the limit."""
    use, processes, seconds = measure_peak(home, command)
    kept = use.pss <= limit
    print(
        f"beet {' '.join(command):<45} {use.pss:5.0f} MB in {processes} processes (RSS {use.rss:.0f} MB),"
        f" {seconds:.1f} s; allowed: {limit} MB: {'kept' if kept else 'missed'}",
        flush=True,
    )
    return kept


def measure_analysis(home: Path, threads: int | None) -> bool:
    """Analyse a library from the beginning; with `threads` None, by the default number of workers."""
    for old in home.glob("resonance*"):
        old.unlink()
    chosen = [] if threads is None else ["--threads", str(threads)]
    return check_limit(home, ["resonance", "analyze", *chosen], ANALYZE_LIMIT)


def main() -> int:
    """Print the memory of the commands; fail where one exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, nargs="*", default=[4], help="numbers of workers beside the default")
    parser.add_argument("--tracks", type=int, nargs="*", default=[100_000])
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="folder of the long files, reused if they exist")
    parser.add_argument("--queries", type=Path, metavar="FOLDER", help="the same for the synthetic libraries")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = create_long_library(options.kept or Path(folder, "long"))
        kept = [measure_analysis(home, threads) for threads in (None, *options.threads)]
        for tracks in options.tracks:
            home = create_library(options.queries or Path(folder), tracks)
            kept += [check_limit(home, query, QUERY_LIMIT) for query in QUERIES]
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
