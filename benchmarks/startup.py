"""Time the start of beets with and without the plugin, by real `beet version` processes in turns.

Medians of wall-clock times; bytecode is cached, as it is for a user from the second command on.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_MS = 50.0
WITH, WITHOUT = "resonance", "none"


def write_home(folder: Path, plugins: list[str]) -> dict[str, str]:
    """Write a configuration of beets; return the environment that selects it."""
    folder.mkdir()
    (folder / "config.yaml").write_text(f"plugins: {plugins}\ncreate_backup_before_migrations: no\n", encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "BEETSDIR": str(folder), "PYTHONPATH": str(ROOT)}


def time_process(environment: dict[str, str], command: list[str]) -> float:
    """Return the wall-clock time of one `beet` process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "beets", *command], env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def median_times(command: list[str], runs: int) -> dict[str, float]:
    """Return the median times with and without the plugin, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        homes = {WITH: write_home(Path(folder, WITH), ["resonance"]), WITHOUT: write_home(Path(folder, WITHOUT), [])}
        for environment in homes.values():
            time_process(environment, command)
        times: dict[str, list[float]] = {name: [] for name in homes}
        for run in range(runs):
            for name in (WITH, WITHOUT) if run % 2 else (WITHOUT, WITH):
                times[name].append(time_process(homes[name], command))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> int:
    """Print the times; fail where the plugin exceeds its limit."""
    parser = argparse.ArgumentParser(description="Time the start of beet with and without the plugin.")
    parser.add_argument("--runs", type=int, default=21, metavar="N", help="processes of each kind")
    options = parser.parse_args()
    slowest = 0.0
    for command in (["version"], ["ls"]):
        times = median_times(command, options.runs)
        extra = 1000 * (times[WITH] - times[WITHOUT])
        slowest = max(slowest, extra)
        print(
            f"beet {command[0]:<8} {1000 * times[WITHOUT]:6.0f} ms without, {1000 * times[WITH]:6.0f} ms with the "
            f"plugin: {extra:+.0f} ms"
        )
    print(f"at most {LIMIT_MS:.0f} ms more are allowed: {'kept' if slowest <= LIMIT_MS else 'missed'}")
    return int(slowest > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
