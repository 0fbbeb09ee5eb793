"""Time the start of beets with and without the plugin, by real `beet version` and `beet ls` processes in turns.

Medians of wall-clock times; bytecode is cached, as it is for a user from the second command on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import ROOT, beets_environment, measure_process, median_times

LIMIT_MS = 50.0


def write_home(folder: Path, root: Path, plugins: list[str]) -> dict[str, str]:
    """Write a configuration of beets; return the environment that selects it and the checkout at `root`."""
    folder.mkdir()
    (folder / "config.yaml").write_text(f"plugins: {plugins}\ncreate_backup_before_migrations: no\n", encoding="utf-8")
    return beets_environment(folder, root)


def main() -> int:
    """Print the times; fail where the plugin exceeds its limit."""
    parser = argparse.ArgumentParser(description="Time the start of beet with and without the plugin.")
    parser.add_argument("--runs", type=int, default=21, metavar="N", help="processes of each kind")
    parser.add_argument("--root", type=Path, action="append", metavar="DIR", help="a checkout (this one); repeatable")
    options = parser.parse_args()
    roots = [root.resolve() for root in options.root or [ROOT]]
    slowest = 0.0
    for command in (["version"], ["ls"]):
        with tempfile.TemporaryDirectory() as folder:
            homes = [write_home(Path(folder, "without"), ROOT, [])]
            homes += [write_home(Path(folder, str(i)), root, ["resonance"]) for i, root in enumerate(roots)]
            starts = {place: partial(measure_process, home, command) for place, home in enumerate(homes)}
            without, *times = median_times(starts, options.runs).values()
        print(f"beet {command[0]:<8} {without:6.0f} ms without the plugin")
        for root, with_plugin in zip(roots, times, strict=True):
            print(f"  {root.name:<20} {with_plugin:6.0f} ms with it: {with_plugin - without:+.0f} ms")
        slowest = max(slowest, *(with_plugin - without for with_plugin in times))
    print(f"at most {LIMIT_MS:.0f} ms more are allowed: {'kept' if slowest <= LIMIT_MS else 'missed'}")
    return int(slowest > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
