"""Kill clients, workers and schedulers of real clusters at random moments, and see whether anything is lost or twice.

    python -m tests.reliability.cluster --kills 30 [--seed N] [--only WORD ...]

prints a line for each kill and a table; exits 1 when anything was lost. A `beet resonance analyze --scheduler` runs
over two workers; half of the moments are uniform over the time that an undisturbed one takes, half over a quarter of
that after the first results were stored. After each kill the sidecar must be whole and hold nothing but what an
undisturbed run stores; then what was killed is started again, and a second run must complete it, and analyse what is
missing and nothing else.
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.console import positive, print_line
from tests.dask_cluster import DaskCluster, run_cluster
from tests.e2e.home import Home, album, new_home
from tests.store_contents import store_contents

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACKS = 60
WORKERS = 2
PATIENCE = 120.0
POLL_SECONDS = 0.1
KINDS = ("client", "client and its children", "worker", "scheduler")
ANALYSED = re.compile(r"^(\d+) tracks? analysed")
EMPTY = {"count": 0}


@dataclass
class ClusterKill:
    """One kill: of what, after which seconds, how many recordings were stored then, and what was lost."""

    kind: str
    moment: float
    stored: int = 0
    losses: list[str] = field(default_factory=list)


def prepare_home(folder: Path) -> Home:
    """A library that nothing was analysed of."""
    home = new_home(folder / "home", resonance={"auto": False})
    home.beet("import", str(album(folder / "inbox", TRACKS)))
    return home


def copy_home(home: Home, folder: Path) -> Home:
    folder.mkdir()
    (folder / "library.db").write_bytes(home.library.read_bytes())
    copy = Home(folder)
    copy.configure(directory=str(home.music), resonance={"auto": False})
    return copy


def contents(home: Home) -> dict[str, Any]:
    return store_contents(home.sidecar, home.library.name) if home.sidecar.exists() else EMPTY


def find_losses(home: Home, reference: dict[str, Any], is_whole: bool) -> list[str]:
    """What a sidecar lacks, or has beyond or other than the reference; a part of it will do unless `is_whole`."""
    losses = []
    if home.sidecar.exists():
        with closing(sqlite3.connect(home.sidecar)) as connection:
            ((integrity,),) = connection.execute("PRAGMA integrity_check")
        losses += [integrity] if integrity != "ok" else []
    known = contents(home)
    for name in reference.keys() if is_whole else known.keys() - {"count"}:
        if is_whole and known.get(name) != reference[name]:
            losses.append(f"{name} differ from an undisturbed run's")
        elif not is_whole and not known[name].items() <= reference[name].items():
            losses.append(f"{name} hold what an undisturbed run has not")
    return losses


def start_client(home: Home, cluster: DaskCluster) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "beets", "resonance", "analyze", "--scheduler", cluster.address],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=home.environment, cwd=home.path, start_new_session=True,
    )  # fmt: skip


def kill(kind: str, client: subprocess.Popen[str], cluster: DaskCluster, random: np.random.Generator) -> None:
    if kind.startswith("client"):
        cluster.kill(client, with_children="children" in kind)
    elif kind == "worker":
        cluster.kill(cluster.workers.pop(int(random.integers(len(cluster.workers)))))
    else:
        assert cluster.scheduler is not None
        cluster.kill(cluster.scheduler)


def restore(kind: str, cluster: DaskCluster) -> None:
    """Start again what was killed."""
    if kind == "worker":
        cluster.start_worker()
    elif kind == "scheduler":  # its workers went with it
        cluster.close()
        cluster.workers.clear()
        cluster.start_scheduler()
        for _ in range(WORKERS):
            cluster.start_worker()


def try_kill(
    kind: str,
    moment: float,
    after_writing: bool,
    home: Home,
    cluster: DaskCluster,
    reference: dict[str, Any],
    random: np.random.Generator,
) -> ClusterKill:
    """Kill once, look, and let a second run complete it; `after_writing` the moment counts from the first results."""
    trial = ClusterKill(kind, moment)
    client = start_client(home, cluster)
    while after_writing and client.poll() is None and not (home.sidecar.exists() and home.recordings()):
        time.sleep(POLL_SECONDS)
    time.sleep(moment)
    kill(kind, client, cluster, random)
    out, error = client.communicate(timeout=PATIENCE)
    trial.stored = contents(home)["count"]
    trial.losses += find_losses(home, reference, is_whole=kind == "worker")
    if "Traceback" in error or (kind == "scheduler" and client.returncode and error.count("\n") != 1):
        trial.losses.append(f"the client ended with {error}")
    if kind == "worker" and client.returncode:
        trial.losses.append(f"a worker's end ended the client: {error}")
    restore(kind, cluster)
    out, error = start_client(home, cluster).communicate(timeout=PATIENCE)
    analysed = int(match[1]) if (match := ANALYSED.match(out)) else 0
    if analysed != TRACKS - trial.stored:
        trial.losses.append(f"{trial.stored} were stored, and {analysed} analysed then: {out}{error}")
    trial.losses += find_losses(home, reference, is_whole=True)
    return trial


def run_trials(folder: Path, kills: int, seed: int, only: Sequence[str] = ("",)) -> list[ClusterKill]:
    """Kill so many times, one kind after the other in turn."""
    random = np.random.default_rng(seed)
    home = prepare_home(folder)
    kinds = [kind for kind in KINDS if any(word in kind for word in only)]
    trials = []
    with run_cluster(folder, WORKERS) as cluster:
        undisturbed = copy_home(home, folder / "undisturbed")
        undisturbed.beet("resonance", "analyze", "--scheduler", cluster.address)  # workers start
        undisturbed = copy_home(home, folder / "again")
        started = time.monotonic()
        undisturbed.beet("resonance", "analyze", "--scheduler", cluster.address)
        seconds = time.monotonic() - started
        reference = contents(undisturbed)
        assert reference["count"] == TRACKS
        for number in range(kills):
            kind, late = kinds[number % len(kinds)], bool(number // len(kinds) % 2)
            moment = float(random.uniform(0.0, seconds / 4 if late else seconds))
            copy = copy_home(home, folder / f"{number}")
            trials.append(try_kill(kind, moment, late, copy, cluster, reference, random))
            report(trials[-1], number)
    return trials


def report(trial: ClusterKill, number: int) -> None:
    print_line(f"{number:4} {trial.kind:24} after {trial.moment:4.1f} s, {trial.stored:2} of {TRACKS} stored")
    for line in trial.losses:
        print_line(f"     LOST: {line}")
    sys.stdout.flush()


def table(trials: Sequence[ClusterKill]) -> list[str]:
    lines = [f"{'killed':24} {'kills':>5} {'nothing stored':>15} {'a part':>7} {'all':>4} {'lost':>5}"]
    for kind in [*dict.fromkeys(trial.kind for trial in trials), "all"]:
        mine = [trial for trial in trials if kind in (trial.kind, "all")]
        stored = Counter("all" if each.stored == TRACKS else "a part" if each.stored else "none" for each in mine)
        lost = sum(bool(each.losses) for each in mine)
        counts = f"{stored['none']:>15} {stored['a part']:>7} {stored['all']:>4}"
        lines.append(f"{kind:24} {len(mine):>5} {counts} {lost:>5}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=positive, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help=f"of {', '.join(KINDS)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        trials = run_trials(Path(folder), options.kills, options.seed, options.only)
    for line in table(trials):
        print_line(line)
    return int(any(trial.losses for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
