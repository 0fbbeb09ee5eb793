"""Measure queries as whole processes, beside `beet ls id:1` in the same library, and warm, within one process.

    python -m benchmarks.similar [--tracks 12000 100000] [--runs 7] [--kept FOLDER] [--beside CHECKOUT]

Each process runs right after a `beet ls id:1`, so that other load on the machine meets both alike; times and
differences are medians. Seconds are of wall time and, in brackets, of CPU; memory is the most that a process took. The
library is synthetic and created once in the folder that `--kept` names. With `--beside`, processes of another checkout
take turns with this one's. Exits with status 1 where a query exceeds its limit.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.measure import ROOT, ProcessCost, beets_environment, measure_process, median_times, run_apart
from benchmarks.synthetic_library import create_library, write_configuration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beetsplug.resonance.search.request import SearchRequest

BASE = ("ls", "id:1")
SEEDS = ("id:1", ",", "id:40", ",", "id:80", ",", "id:120", ",", "id:160")
COMMANDS = (
    ("similar", "id:1"),
    ("similar", "--from", "genres:jazz", "id:1"),
    ("similar", *SEEDS),
    ("similar", "--explain", "id:1"),
    ("similar", "--weights", "rhythm=2", "id:1"),
    ("similar", "--text", "happy rock"),
    ("similar", "--text", "happy rock", "id:1"),
    ("playlist", "id:1"),
    ("ls", "similar:id:1"),
)
LIMITED = COMMANDS[0]


class Limits(NamedTuple):
    """Limits of `LIMITED`: seconds more than `BASE`, milliseconds when warm, MB."""

    extra: float
    warm: float
    memory: float


LIMITS = {12_000: Limits(0.4, 10, 600), 100_000: Limits(0.8, 50, 600)}


def measure_commands(root: Path, home: Path) -> dict[tuple[str, ...], tuple[ProcessCost, ProcessCost]]:
    """Return the cost of each command of a checkout, and the difference from the `BASE` just before it."""
    environment = beets_environment(home, root)
    costs: dict[tuple[str, ...], tuple[ProcessCost, ProcessCost]] = {}
    for command in COMMANDS:
        base, one = measure_process(environment, BASE), measure_process(environment, command)
        costs[command] = one, ProcessCost(*(mine - its for mine, its in zip(one, base, strict=True)))
    return costs


def print_commands(
    rounds: Sequence[dict[tuple[str, ...], tuple[ProcessCost, ProcessCost]]],
) -> tuple[ProcessCost, ProcessCost]:
    """Print the medians of each command; return those of `LIMITED`."""
    medians = {}
    for command in COMMANDS:
        costs, differences = zip(*(costs[command] for costs in rounds), strict=True)
        medians[command] = median_cost(costs), median_cost(differences)
    for words, (cost, more) in medians.items():
        print(
            f"  beet {' '.join(words):<55} {cost.wall:6.2f} s ({cost.cpu:.2f}) {cost.memory:5.0f} MB"
            f"  {more.wall:+6.2f} s ({more.cpu:+.2f}), {cost.wall / (cost.wall - more.wall):4.1f} times"
        )
    return medians[LIMITED]


def median_cost(costs: Sequence[ProcessCost]) -> ProcessCost:
    return ProcessCost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def warm_requests() -> dict[str, list[SearchRequest]]:
    """Return the requests that are timed warm, with other seeds each time."""
    from beetsplug.resonance.search.request import SearchRequest

    seeds = range(1, 12_000, 571)
    return {
        "one seed": [SearchRequest(query=(f"id:{each}",)) for each in seeds],
        "five seeds": [SearchRequest(query=(f"id:{each}..{each + 4}",)) for each in seeds],
        "--from genres:jazz": [SearchRequest(query=(f"id:{each}",), among=("genres:jazz",)) for each in seeds],
        "--rerank mmr --prf 3": [SearchRequest(query=(f"id:{each}",), rerank="mmr", prf=3) for each in seeds],
        "--weights rhythm=2": [SearchRequest(query=(f"id:{each}",), weights="rhythm=2") for each in seeds],
        "--text": [SearchRequest(query=(f"id:{each}",), text="happy rock") for each in seeds],
    }


def measure_warm(home: Path) -> dict[str, float]:
    """Return the median milliseconds of requests in one process."""
    from beets.library import Library

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.finder import Finder
    from beetsplug.resonance.search.session import SearchSession

    sidecar = Sidecar(Library(str(home / "library.db"), str(home / "music")))
    model = sidecar.model
    assert model is not None, "the library is analysed"
    search = SearchSession(sidecar, model)
    requests = warm_requests()
    lists = {name: (Finder(search, request, "similar").find() for request in row) for name, row in requests.items()}
    times = median_times({name: partial(next, hits) for name, hits in lists.items()}, len(requests["one seed"]) - 1)
    sidecar.close()
    return times


def measure(home: Path, tracks: int, runs: int, beside: Path | None) -> bool:
    """Print the numbers of one library; return whether the limited command stays within its limits."""
    homes = {ROOT: home}
    with tempfile.TemporaryDirectory() as folder:
        if beside is not None:
            homes[beside] = Path(folder, "home")
            shutil.copytree(home, homes[beside])
            write_configuration(homes[beside])
        # The first round, which builds indexes, does not count.
        rounds = [[measure_commands(root, place) for root, place in homes.items()] for _ in range(1 + runs)][1:]
    own, *other = zip(*rounds, strict=True)
    print(f"\n{tracks:,} tracks; more than `beet {' '.join(BASE)}`, and how many times as much:")
    for costs in other:
        print_commands(costs)
        print(f"  the same in {ROOT}:")
    one, more = print_commands(own)
    times = run_apart(measure_warm, home)
    for name, number in times.items():
        print(f"  warm, {name:<54} {number:6.1f} ms")
    limits = LIMITS.get(tracks)
    if limits is None:
        return True
    first = next(iter(times.values()))
    kept = more.wall <= limits.extra and first <= limits.warm and one.memory <= limits.memory
    allowed = f"{limits.extra} s more, {limits.warm:.0f} ms warm and {limits.memory:.0f} MB"
    print(f"  allowed to `beet {' '.join(LIMITED)}`: {allowed}: {'kept' if kept else 'missed'}")
    return kept


def main() -> int:
    """Print the costs; fail where one exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tracks", type=int, nargs="+", default=list(LIMITS))
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="processes of each kind")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="folder of the libraries, reused if they exist")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = []
        for tracks in options.tracks:
            home = run_apart(partial(create_library, tracks=tracks), options.kept or Path(folder))
            kept.append(measure(home, tracks, options.runs, options.beside))
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
