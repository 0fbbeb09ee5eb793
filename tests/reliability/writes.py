"""Kill processes that do nothing but write, in the middle of it, and see whether anything is lost.

    python -m tests.reliability.writes --kills 2000 [--seed N] [--only WORD] [--postgresql] [--keep DIR]

prints a line for each loss and a table; exits 1 when anything was lost. `kills` is its complement: there whole commands
are killed, of whose time little goes into writing.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import positive, print_line
from resonance_engine.index.backends import load_faiss
from tests.reliability.crash_harness import PLACES, Series
from tests.reliability.shared_homes import server_if
from tests.reliability.writes_files import FILES
from tests.reliability.writes_ingest import Batches, SharedBatches
from tests.reliability.writes_library import LIBRARY
from tests.reliability.writes_stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.crash_harness import Kill, Kind

SOONEST = 0.002  # seconds of writing before the kill

KINDS: tuple[Kind, ...] = (Batches(), *FILES, *STAGES, *LIBRARY)


def kills(kinds: Sequence[Kind], folder: Path, count: int, seed: int, keep: bool = False) -> Iterable[Kill]:
    """So many kills, of one kind after the other in turn."""
    series = [Series(kind, folder, keep) for kind in kinds]
    for number in range(count):
        kind = series[number % len(series)]
        moment = random.Random(f"{seed}-{number}").uniform(SOONEST, kind.kind.latest)  # noqa: S311 - no secrets
        yield kind.kill(number, moment)


def table(results: Sequence[Kill]) -> list[str]:
    """A line for each kind: kills, where they landed, what survived and what did not, and temporary files."""
    head = " ".join(f"{place:>10}" for place in PLACES)
    lines = [f"{'writing':22} {'kills':>5} {head} {'survived':>9} {'lost':>5} {'left':>5} {'kept':>5}"]
    for name in [*dict.fromkeys(each.kind for each in sorted(results, key=lambda each: each.number)), "all"]:
        mine = [each for each in results if name in (each.kind, "all")]
        counts = " ".join(f"{sum(each.place == place for each in mine):>10}" for place in PLACES)
        lost = sum(bool(each.findings.losses) for each in mine)
        left, kept = (sum(getattr(each.findings, what) for each in mine) for what in ("left", "kept"))
        lines.append(f"{name:22} {len(mine):>5} {counts} {len(mine) - lost:>9} {lost:>5} {left:>5} {kept:>5}")
    lines.append("left: temporary files after the kill; kept: of those, after the next write an hour later")
    return lines


def main(kinds: Sequence[Kind] = KINDS) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=positive, default=2000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", default="", help="only the kinds whose names have this in them")
    parser.add_argument("--keep", type=Path, help="an empty folder for what was written, which is kept")
    parser.add_argument("--postgresql", action="store_true", help="only batches, into a server that is started for it")
    options = parser.parse_args()
    chosen = [kind for kind in kinds if options.only in kind.name]
    if not chosen:
        parser.error(f"no kind of writing has {options.only!r} in its name: {', '.join(kind.name for kind in kinds)}")
    with suppress(ImportError):
        load_faiss()  # here, so that no child has to
    started = time.monotonic()
    results = []
    with (
        tempfile.TemporaryDirectory(prefix="resonance-writes-", ignore_cleanup_errors=True) as temporary,
        server_if(options.postgresql) as server,
        suppress(KeyboardInterrupt),  # the table tells of what was done until then
    ):
        folder = options.keep or Path(temporary)
        if server is not None:
            chosen = [SharedBatches(server)]
        for kill in kills(chosen, folder, options.kills, options.seed, bool(options.keep)):
            results.append(kill)
            for line in kill.findings.losses:
                print_line(f"LOST by kill {kill.number} ({kill.kind}, {kill.place}): {line}")
    for line in table(results):
        print_line(line)
    print_line(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    return 1 if any(kill.findings.losses or kill.findings.kept for kill in results) else 0


if __name__ == "__main__":
    sys.exit(main())
