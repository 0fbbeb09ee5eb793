"""Time `beet import` of a folder with and without the plugin, on a pseudo-terminal, in turns: what a person waits for.

    python -m benchmarks.imports FOLDER [--runs 3]

Medians of wall-clock and CPU seconds, the latter without what goes on in the background; and what the last run printed.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import beets_environment

# Settings of the plugin by the name of a way to import; None is without it.
WAYS: dict[str, str | None] = {
    "without the plugin": None,
    "auto: yes": "yes",
    "auto: import": "import",
    "auto: background": "background",
}
IDLE_SECONDS = 0.5  # between two looks at the background
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class ImportCost(NamedTuple):
    """Seconds of wall time and of CPU of an import and its workers, and what stood on the terminal."""

    wall: float
    cpu: float
    printed: str


def write_home(folder: Path, auto: str | None) -> dict[str, str]:
    """Write a configuration of beets that copies into the folder; return the environment that selects it."""
    folder.mkdir()
    plugin = "" if auto is None else f"plugins: [resonance]\nresonance: {{auto: '{auto}'}}\n"
    settings = "import: {copy: yes, autotag: no, resume: no}\ncreate_backup_before_migrations: no\n"
    (folder / "config.yaml").write_text(f"directory: {folder / 'music'}\n{settings}{plugin}", encoding="utf-8")
    return beets_environment(folder)


def run_on_terminal(environment: dict[str, str], arguments: list[str]) -> ImportCost:
    """Run a command of beets on a pseudo-terminal, and measure it; exits with its output where it fails."""
    screen, side = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "beets", *arguments], env=environment, stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    output = b""
    with suppress(OSError):  # how Linux tells that nobody has the other end any more
        while content := os.read(screen, 65536):
            output += content
    os.close(screen)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    text = output.decode("utf-8", "replace")
    if process.returncode:
        sys.exit(f"beet {' '.join(arguments)} failed: {text}")
    lines = [CONTROL.sub("", line.rpartition("\r")[2]) for line in text.replace("\r\n", "\n").splitlines()]
    return ImportCost(wall, used.ru_utime + used.ru_stime, "\n".join(filter(None, lines)))


def wait_for_background(environment: dict[str, str]) -> None:
    """Wait until nothing is analysed any more, so that no run disturbs the next."""
    while True:
        printed = run_on_terminal(environment, ["resonance", "status"]).printed
        if not re.search(r"^background: +(starting|working)", printed, re.MULTILINE):
            return
        time.sleep(IDLE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time `beet import` with and without the plugin.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the album or albums to import, which stay")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="imports of each kind")
    options = parser.parse_args()
    costs: dict[str, list[ImportCost]] = {name: [] for name in WAYS}
    for turn in range(options.runs):
        for name, auto in [*WAYS.items()][:: -1 if turn % 2 else 1]:
            with tempfile.TemporaryDirectory() as folder:
                home = write_home(Path(folder, "home"), auto)
                costs[name].append(run_on_terminal(home, ["import", str(options.folder)]))
                if auto is not None:
                    wait_for_background(home)
    print(f"{'':<20} {'waited s':>8} {'CPU s':>6}")
    for name, runs in costs.items():
        print(
            f"{name:<20} {statistics.median(c.wall for c in runs):8.1f} {statistics.median(c.cpu for c in runs):6.1f}"
        )
    for name, runs in costs.items():
        print(f"\n{name}:\n{runs[-1].printed}")


if __name__ == "__main__":
    main()
