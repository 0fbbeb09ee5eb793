"""What a process and its children hold: memory, file descriptors, threads; and whether that grows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Footprint:
    """`memory` is in bytes what processes have allocated; what they share counts once in all.

    Pages of files do not count: they come and go with what the system needs, and with who else has them in use.
    """

    memory: int
    descriptors: int
    threads: int

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(self.memory + other.memory, self.descriptors + other.descriptors, self.threads + other.threads)


NOTHING = Footprint(0, 0, 0)


def footprint(pid: int) -> Footprint:
    """That of one process; nothing where it has ended."""
    folder = PROCESSES / str(pid)
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
        memory = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))
        return Footprint(memory, len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir())))
    except (OSError, StopIteration):
        return NOTHING


def children(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    try:
        lists = [path.read_text() for path in (PROCESSES / str(pid) / "task").glob("*/children")]
    except OSError:
        return []
    own = [int(each) for line in lists for each in line.split()]
    return own + [each for child in own for each in children(child)]


def slope(minutes: Sequence[float], values: Sequence[float]) -> float:
    """How fast something grows, in its unit per hour: the median of the slopes between all pairs (Theil and Sen)."""
    x, y = np.asarray(minutes) / 60, np.asarray(values, float)
    first, second = np.triu_indices(len(x), 1)
    if not len(first):
        return 0.0
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
