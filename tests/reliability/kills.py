"""Kill real `beet` processes at random moments, and see whether anything is lost.

    python -m tests.reliability.kills --kills 200 [--seed N] [--jobs 2] [--only WORD ...] [--postgresql] [--keep DIR]

prints a line for each loss and a table; exits 1 when anything was lost. Half of the moments are uniform over the time
that the undisturbed command takes, half follow a change of a file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import positive, print_line
from tests.reliability.scenarios import scenarios
from tests.reliability.shared_homes import server_if
from tests.reliability.trials import PHASES, tried, undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.postgresql_server import PostgresServer
    from tests.reliability.trials import Trial


def killed(
    folder: Path, kills: int, seed: int, jobs: int, only: Sequence[str] = ("",), server: PostgresServer | None = None
) -> list[Trial]:
    """So many kills, one story after the other in turn; homes are made below the folder."""
    selected = [story for story in scenarios(folder, server) if any(word in story.name for word in only)]
    trials = []
    # Measured side by side, as the trials run: alone, the commands would be faster.
    with ThreadPoolExecutor(jobs) as pool:
        places = [folder / f"normal-{number}" for number in range(len(selected))]
        normal = list(pool.map(undisturbed, selected, places))
        pending = [
            pool.submit(
                tried,
                selected[each % len(selected)],
                normal[each % len(selected)],
                folder / f"trial-{each}",
                each,
                seed,
            )
            for each in range(kills)
        ]
        for done in as_completed(pending):
            trials.append(done.result())
            report(trials[-1], len(trials))
    return trials


def report(trial: Trial, count: int) -> None:
    how = "group" if trial.whole else "parent"
    print_line(f"{count:4} trial {trial.number:3}  {trial.story:26} {how:7} {trial.phase}")
    for line in trial.losses:
        print_line(f"     LOST in trial {trial.number}: {line}")
    sys.stdout.flush()


def table(trials: Sequence[Trial]) -> list[str]:
    """A line for each command: kills, where they landed, what survived and what did not."""
    lines = [f"{'command':26} {'kills':>5} " + " ".join(f"{each:>11}" for each in PHASES) + "  survived  lost"]
    for name in [*dict.fromkeys(each.story for each in sorted(trials, key=lambda each: each.number)), "all"]:
        mine = [each for each in trials if name in (each.story, "all")]
        landed = Counter(each.phase for each in mine)
        lost = sum(bool(each.losses) for each in mine)
        counts = " ".join(f"{landed[each]:>11}" for each in PHASES)
        lines.append(f"{name:26} {len(mine):>5} {counts}  {len(mine) - lost:>8} {lost:>5}")
    left, kept = sum(each.temporary for each in trials), sum(each.kept for each in trials)
    groups = sum(each.whole for each in trials)
    lines.append(f"killed: {groups} process groups, {len(trials) - groups} parents alone")
    lines.append(f"temporary files: {left} left by kills, {kept} still there after the next run an hour later")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=positive, default=200, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--jobs", type=positive, default=2, help="how many trials run side by side")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="only the commands whose names have one of these in them"
    )
    parser.add_argument("--keep", type=Path, help="an empty folder for the homes, which are kept")
    parser.add_argument("--postgresql", action="store_true", help="with sidecars in a server that is started for it")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="resonance-kills-", ignore_cleanup_errors=True) as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with server_if(options.postgresql) as server:
            trials = killed(folder, options.kills, options.seed, options.jobs, options.only, server)
    for line in table(trials):
        print_line(line)
    print_line(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    return 1 if any(trial.losses for trial in trials) else 0


if __name__ == "__main__":
    sys.exit(main())
