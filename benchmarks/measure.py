"""Times of actions that take turns, and costs of whole processes of beets, for all benchmarks."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Name = TypeVar("Name")
Result = TypeVar("Result")
ROOT = Path(__file__).parents[1]


class ProcessCost(NamedTuple):
    """Cost of a process: seconds of wall time, seconds of CPU, MB of peak memory."""

    wall: float
    cpu: float
    memory: float


def median_times(
    actions: Mapping[Name, Callable[[], object]],
    runs: int,
    clock: Callable[[], float] = time.perf_counter,
    warm: int = 1,
) -> dict[Name, float]:
    """Return the median milliseconds of actions that take turns, so that other load on the machine slows all alike.

    The first `warm` rounds, which fill caches, do not count.
    """
    times: dict[Name, list[float]] = {name: [] for name in actions}
    for turn in range(warm + runs):
        for name in list(actions)[:: -1 if turn % 2 else 1]:
            start = clock()
            actions[name]()
            times[name].append(1000 * (clock() - start))
    return {name: statistics.median(values[warm:]) for name, values in times.items()}


def beets_environment(home: Path, root: Path = ROOT) -> dict[str, str]:
    """Return the environment of a beets with this home and the checkout at `root`, with cached bytecode."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "BEETSDIR": str(home), "PYTHONPATH": str(root)}


def run_apart(function: Callable[[Path], Result], path: Path) -> Result:
    """Return a function's result from a fresh process: what this one holds counts among the most that a child has."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, path).result()


@contextmanager
def start_beets(environment: Mapping[str, str], command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command of beets and wait for its end; exits with its output where it fails."""
    with tempfile.TemporaryFile() as output:
        # Without -P, the current folder would go before the checkout that the environment names.
        run = [sys.executable, "-P", "-m", "beets", *command]
        with subprocess.Popen(
            run, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            yield process
        if process.returncode:
            output.seek(0)
            sys.exit(f"beet {' '.join(command)} failed: {output.read().decode(errors='replace')}")


def measure_process(environment: Mapping[str, str], command: Sequence[str]) -> ProcessCost:
    """Run a command of beets and measure it."""
    start = time.perf_counter()
    with start_beets(environment, command) as process:
        _, status, used = os.wait4(process.pid, 0)  # unlike Popen's own, its usage is that of this process alone
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    return ProcessCost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
