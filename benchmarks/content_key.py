"""Measure content keys: CPU time, bytes read, and the wait for them on a fast and on a slow disk.

python -m benchmarks.content_key            a song and a two-hour mix, written to a temporary folder
python -m benchmarks.content_key FILE...    your own files
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.audio.windows import content_key
from tests.audio_files import tune, write_audio, write_looped

if TYPE_CHECKING:
    from collections.abc import Iterator

DISKS = {"SSD": None, "100 MB/s": 100e6, "10 MB/s": 10e6}
"""Bytes per second; None where reading costs nothing next to computing."""

REPEATS = 3


def write_files(folder: Path) -> Iterator[Path]:
    minute = tune(60.0)
    yield (song := write_audio(folder / "song.mp3", minute, 44100, repeats=4))
    yield write_looped(folder / "mix of two hours.mp3", song, 30)
    for suffix in (".flac", ".wav"):
        yield write_audio(folder / f"song{suffix}", minute, 44100, repeats=4)
        yield write_audio(folder / f"mix of two hours{suffix}", minute, 44100, repeats=120)


def bytes_read() -> int:
    """Return the bytes that this process has read so far (Linux)."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["rchar"])


def measure_key(path: Path) -> tuple[float, int]:
    """Return the CPU seconds and bytes of the cheapest of a few runs, for which the file is in memory."""
    runs = []
    for _ in range(REPEATS):
        read, start = bytes_read(), time.process_time()
        content_key(path)
        runs.append((time.process_time() - start, bytes_read() - read))
    return min(runs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what content keys cost.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    files = parser.parse_args().files
    print(f"{'file':28} {'MB':>8} {'MB read':>8} " + " ".join(f"{disk:>12}" for disk in DISKS))
    with tempfile.TemporaryDirectory() as folder:
        for path in files or write_files(Path(folder)):
            seconds, read = measure_key(path)
            waits = [1e3 * (seconds + (read / speed if speed else 0.0)) for speed in DISKS.values()]
            print(
                f"{path.name:28.28} {path.stat().st_size / 1e6:8.1f} {read / 1e6:8.1f} "
                + " ".join(f"{wait:9.0f} ms" for wait in waits)
            )


if __name__ == "__main__":
    main()
