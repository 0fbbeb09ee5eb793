"""The most memory that a command of beets takes, in all its processes together.

    python -m benchmarks.memory [--threads N ...] [--tracks 100000] [--kept FOLDER] [--queries FOLDER]

`resonance analyze` runs on a library of ten-hour files and songs, queries on a made-up library. Of memory that
processes share each counts its part (PSS), read every 20 ms; RSS counts it once for each process. The libraries are
made once into the folders that `--kept` and `--queries` name. Needs Linux. Ends with status 1 where a command takes
more than it may.
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

from benchmarks.long_music import long_music
from benchmarks.made_library import made_library

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
SECONDS = 0.02  # between two looks
ANALYZE_LIMIT, QUERY_LIMIT = 700, 600  # MB
QUERIES = (("similar", "id:1"), ("similar", "--weights", "timbre=1,rhythm=2", "id:1"))


class Memory(NamedTuple):
    """MB of one process or several."""

    pss: float = 0.0
    rss: float = 0.0


class Peak(NamedTuple):
    """The most that a command took, each number by itself; how many processes it had, and its seconds."""

    memory: Memory
    processes: int
    seconds: float


def peak(home: Path, command: Sequence[str]) -> Peak:
    """Run a command of beets; exits with what it says where it fails."""
    environment = {**os.environ, "BEETSDIR": str(home), "PYTHONPATH": str(ROOT)}
    most, processes = Memory(), 0
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        run = [sys.executable, "-m", "beets", *command]
        with subprocess.Popen(run, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as process:
            while process.poll() is None:
                found = [memory(each) for each in family(process.pid)]
                total = Memory(*(sum(column) for column in zip(*found, strict=True)))
                most = Memory(*map(max, most, total))
                processes = max(processes, len(found))
                time.sleep(SECONDS)
        if process.returncode:
            said.seek(0)
            sys.exit(f"beet {' '.join(command)} failed: {said.read().decode(errors='replace')}")
    return Peak(most, processes, time.perf_counter() - began)


def family(process: int) -> list[int]:
    """A process and all that it started, and they."""
    found = [process]
    for one in found:
        try:
            lists = [path.read_text(encoding="ascii") for path in Path(f"/proc/{one}/task").glob("*/children")]
        except OSError:  # it ended meanwhile
            continue
        found += [int(child) for each in lists for child in each.split()]
    return found


def memory(process: int) -> Memory:
    """What a process takes now; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return Memory()
    sizes = {name: int(size.split()[0]) / 1024 for name, _, size in (line.partition(":") for line in lines)}
    return Memory(sizes.get("Pss", 0.0), sizes.get("Rss", 0.0))


def within(home: Path, command: Sequence[str], limit: int) -> bool:
    """Run a command, print what it took, and say whether it may."""
    taken, processes, seconds = peak(home, command)
    kept = taken.pss <= limit
    print(
        f"beet {' '.join(command):<45} {taken.pss:5.0f} MB in {processes} processes (RSS {taken.rss:.0f} MB),"
        f" {seconds:.1f} s; allowed: {limit} MB: {'kept' if kept else 'missed'}",
        flush=True,
    )
    return kept


def analyzed(home: Path, threads: int | None) -> bool:
    """Analyse a library from the beginning; `threads` None: as many workers as there are by default."""
    for old in home.glob("resonance*"):
        old.unlink()
    chosen = [] if threads is None else ["--threads", str(threads)]
    return within(home, ["resonance", "analyze", *chosen], ANALYZE_LIMIT)


def main() -> int:
    """Print what the commands take, and fail where one takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, nargs="*", default=[4], help="numbers of workers beside the default")
    parser.add_argument("--tracks", type=int, nargs="*", default=[100_000])
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="where the long files are made, and found again")
    parser.add_argument("--queries", type=Path, metavar="FOLDER", help="the same for the made-up libraries")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = long_music(options.kept or Path(folder, "long"))
        kept = [analyzed(home, threads) for threads in (None, *options.threads)]
        for tracks in options.tracks:
            home = made_library(options.queries or Path(folder), tracks)
            kept += [within(home, query, QUERY_LIMIT) for query in QUERIES]
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
