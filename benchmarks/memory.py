"""Measure the peak memory of a command of beets, over all its processes.

    python -m benchmarks.memory [--threads N ...] [--tracks 100000] [--kept FOLDER] [--queries FOLDER]

`resonance analyze` runs on a library of ten-hour files and songs, queries on a synthetic library. Of memory that
processes share each counts its part (PSS), read every 20 ms; RSS counts it once for each process. The libraries are
created once in the folders that `--kept` and `--queries` name. Needs Linux. Exits with status 1 where a command exceeds
its limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from beets.library import Item, Library

from benchmarks.measure import beets_environment, start_beets
from benchmarks.synthetic_library import create_library, write_configuration
from tests.audio_files import write_audio, write_looped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SECONDS = 0.02  # between two readings
ANALYZE_LIMIT, QUERY_LIMIT = 700, 300  # MB
QUERIES = (("similar", "id:1"), ("similar", "--weights", "timbre=1,rhythm=2", "id:1"))
RATE = 44_100
TEN_HOURS = 600  # minutes
SONGS = 24
BARE = {"id3v2_version": "0", "write_xing": "0"}  # nothing but frames, and no table to seek by
LOOPED: dict[str, dict[str, Any]] = {
    "constant.mp3": {"bit_rate": 64_000, "muxer_options": BARE},
    "variable.mp3": {"quality": 5, "muxer_options": BARE},
    "bare.aac": {"bit_rate": 64_000},
}


class MemoryUse(NamedTuple):
    """MB of one process or several."""

    pss: float = 0.0
    rss: float = 0.0


def create_long_library(folder: Path) -> Path:
    """Create a beets home in `folder` with ten-hour files of a minute's sound and a few songs, unless it exists."""
    if not (folder / "library.db").exists():
        music = folder / "music"
        music.mkdir(parents=True, exist_ok=True)
        for number, (name, options) in enumerate(LOOPED.items()):
            minute = write_audio(folder / name, chord(number), RATE, **options)
            write_looped(music / name, minute, TEN_HOURS)
        write_audio(music / "long.flac", chord(99), RATE, repeats=TEN_HOURS)
        for number in range(SONGS):
            write_audio(music / f"song {number}.flac", chord(number), RATE)
        write_configuration(folder)
        with redirect_stdout(StringIO()):
            library = Library(str(folder / "library.db"), str(music))
            for path in sorted(music.iterdir()):
                # Its tags do not matter, and beets reads none of a bare AAC.
                library.add(Item(path=bytes(path), title=path.stem))
    return folder


def chord(seed: int) -> NDArray[np.float32]:
    """Return a minute of a quiet chord, (n,)."""
    pitches = np.random.default_rng(seed).integers(110, 1760, (4, 1))
    second = 0.003 * np.sin(2 * np.pi * pitches * np.arange(RATE) / RATE).sum(axis=0)
    return np.tile(second.astype(np.float32), 60)


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
    """Run a command of beets, print its peaks of memory and processes, and return whether it stays within the limit."""
    most, processes, start = MemoryUse(), 0, time.perf_counter()
    with start_beets(beets_environment(home), command) as process:
        while process.poll() is None:
            uses = [read_memory(one) for one in process_tree(process.pid)]
            total = MemoryUse(*(sum(column) for column in zip(*uses, strict=True)))
            most, processes = MemoryUse(*map(max, most, total)), max(processes, len(uses))
            time.sleep(SECONDS)
    kept = most.pss <= limit
    print(
        f"beet {' '.join(command):<45} {most.pss:5.0f} MB in {processes} processes (RSS {most.rss:.0f} MB),"
        f" {time.perf_counter() - start:.1f} s; allowed: {limit} MB: {'kept' if kept else 'missed'}",
        flush=True,
    )
    return kept


def check_analysis(home: Path, threads: int | None) -> bool:
    """Analyse a library from the beginning; with `threads` None, by the default number of workers."""
    for old in home.glob("resonance*"):
        old.unlink()
    workers = [] if threads is None else ["--threads", str(threads)]
    return check_limit(home, ["resonance", "analyze", *workers], ANALYZE_LIMIT)


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
        kept = [check_analysis(home, threads) for threads in (None, *options.threads)]
        for tracks in options.tracks:
            home = create_library(options.queries or Path(folder), tracks)
            kept += [check_limit(home, query, QUERY_LIMIT) for query in QUERIES]
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
