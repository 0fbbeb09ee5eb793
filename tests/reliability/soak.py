"""Hours of use, and whether memory, file descriptors or files grow with them.

    python -m tests.reliability.soak --minutes 120 [--seed N] [--postgresql] [--keep DIR]

A long-lived process has the plugin, a beets library and a pool of workers in it and is driven by commands; real `beet`
processes import and query beside it. A line a minute; at the end, what grew. Exits 1 when the long-lived processes'
memory grows by more than 5 MB an hour (5 MB in all, in less than an hour), descriptors or threads grow, files pile up,
or a command ends with a traceback.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import duration, print_line
from tests.e2e.home import Home, album, new_home
from tests.paths import ROOT
from tests.reliability.footprint import NOTHING, Footprint, children, footprint, slope
from tests.reliability.long_process import EMBED, INDEXED
from tests.reliability.processes import environment
from tests.reliability.scenarios import OWN, SECOND_MODEL, configure
from tests.reliability.shared_homes import server_if

if TYPE_CHECKING:
    from collections.abc import Callable

MEGABYTE = 2**20
ALLOWED = 5.0  # MB an hour
ALBUMS, SONGS, LEAST = 8, 3, 4
WARM_UP = 0.25  # of the time, and at most
LONGEST_WARM_UP = 15.0  # minutes
EVERY = 5.0  # seconds between samples


@dataclass(frozen=True)
class Sample:
    """What was there at one moment between two commands."""

    minute: float
    parent: Footprint
    workers: Footprint
    sidecar: int
    files: int


@dataclass
class LongProcess:
    """The long-lived process, a home for it, and the albums of a shelf that are in its library."""

    home: Home
    shelf: list[Path]
    process: subprocess.Popen[str]
    imported: list[int] = field(default_factory=list)
    commands: int = 0
    refused: int = 0
    broken: list[str] = field(default_factory=list)

    def send(self, *words: str) -> None:
        """Run a command in the long-lived process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        self.commands += 1
        self.refused += not answer.startswith("done 0")
        if not answer.startswith("done") or "Traceback" in answer:
            self.broken.append(f"{' '.join(words)}: {answer!r}")
            raise SystemExit(f"the long-lived process ended with {' '.join(words)}")

    def beet(self, *words: str) -> None:
        """Run a real `beet` beside it."""
        with self.home.process(*words) as process:
            _, err = process.communicate(timeout=300)
        self.commands += 1
        self.refused += process.returncode != 0
        if "Traceback" in err:
            self.broken.append(f"beet {' '.join(words)}: {err[-500:]}")

    def sample(self, started: float) -> Sample:
        workers = sum((footprint(pid) for pid in children(self.process.pid)), NOTHING)
        files = [path for path in self.home.path.iterdir() if path.is_file()]
        minute = (time.monotonic() - started) / 60
        return Sample(minute, footprint(self.process.pid), workers, self.home.size(), len(files))


def actions(household: LongProcess, chance: random.Random) -> dict[Callable[[], None], int]:
    """What may be done next, with how often."""

    def song() -> str:
        return f"title:=Song {chance.choice(household.imported) * SONGS + chance.randrange(SONGS)}"

    def imports() -> None:
        absent = [each for each in range(ALBUMS) if each not in household.imported]
        if absent:
            household.imported.append(chance.choice(absent))
            household.beet("import", str(household.shelf[household.imported[-1]]))

    def removal() -> None:
        if len(household.imported) > LEAST:
            household.send("remove", "-f", f"album:=Album {household.imported.pop(0)}")

    return {
        lambda: household.send("similar", song()): 20,
        lambda: household.send("similar", "--explain", "--json", song()): 8,
        lambda: household.send("playlist", "-o", str(household.home.path / "list.m3u8"), song()): 8,
        lambda: household.send(INDEXED): 10,
        lambda: household.send(EMBED, str(chance.choice(household.shelf))): 6,
        lambda: household.send("resonance", "status"): 4,
        lambda: household.send("modify", "-y", song(), f"comments={chance.random()}"): 4,
        lambda: household.send("resonance", "check"): 1,
        lambda: household.send("resonance", "analyze"): 1,
        lambda: household.send("resonance", "model", "use", chance.choice((OWN, "default"))): 1,
        lambda: household.beet("similar", song()): 3,
        lambda: household.beet("playlist", song()): 2,
        imports: 3,
        removal: 3,
    }


def soak(folder: Path, minutes: float, seed: int, address: str = "") -> tuple[LongProcess, list[Sample]]:
    """Use a home for so long, and what was seen of it."""
    home = new_home(folder / "home", address)
    configure(home, home.music)
    own = home.path / "resonance-models" / OWN
    own.mkdir(parents=True)
    (own / "model.onnx").symlink_to(SECOND_MODEL)
    shelf = [album(folder / f"album {each}", SONGS, each * SONGS, f"Album {each}") for each in range(ALBUMS)]
    for each in range(LEAST):
        home.beet("import", str(shelf[each]))
    command = [sys.executable, "-m", "tests.reliability.long_process"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        household = LongProcess(home, shelf, process, list(range(LEAST)))
        chance = random.Random(seed)  # noqa: S311 - no secret
        weighted = actions(household, chance)
        # With the first analysis comes the thread that all progress bars share.
        for model in (OWN, "default"):
            household.send("resonance", "model", "use", model)
        started, samples = time.monotonic(), []
        for each in weighted:
            each()
        while (now := household.sample(started)).minute < minutes:
            if not samples or now.minute - samples[-1].minute >= EVERY / 60:
                samples.append(now)
                report(household, samples)
            [act] = chance.choices([*weighted], [*weighted.values()])
            act()
        assert process.stdin is not None
        process.stdin.close()
    return household, [*samples, now]


def report(household: LongProcess, samples: list[Sample]) -> None:
    """A line each minute."""
    now = samples[-1]
    if len(samples) > 1 and int(now.minute) == int(samples[-2].minute):
        return
    print_line(
        f"{now.minute:6.1f} min  {household.commands:5} commands, {household.refused} refused  "
        f"parent {now.parent.memory / MEGABYTE:6.1f} MB {now.parent.descriptors:3} descriptors "
        f"{now.parent.threads:3} threads  workers {now.workers.memory / MEGABYTE:6.1f} MB "
        f"{now.workers.descriptors:3} descriptors  sidecar {now.sidecar / MEGABYTE:.2f} MB, {now.files} files"
    )
    sys.stdout.flush()


def growth(samples: list[Sample]) -> tuple[list[str], list[str]]:
    """What grew after the warm-up, a line for each measure, and those that grew too much."""
    end = samples[-1].minute
    steady = [each for each in samples if each.minute >= min(WARM_UP * end, LONGEST_WARM_UP)]
    minutes = [each.minute for each in steady]
    hours = (minutes[-1] - minutes[0]) / 60
    lines, wrong = [], []
    for name in ("parent", "workers"):
        per_hour = slope(minutes, [getattr(each, name).memory / MEGABYTE for each in steady])
        lines.append(f"memory of {name}: {per_hour:+.1f} MB an hour, {per_hour * hours:+.2f} MB in all")
        if per_hour * hours > ALLOWED * max(hours, 1):
            wrong.append(lines[-1])
    for what, values in counted(steady).items():
        third = max(1, len(values) // 3)
        first, last = max(values[:third]), max(values[-third:])
        lines.append(f"{what}: at most {first} at first, at most {last} at last")
        if last > first:
            wrong.append(lines[-1])
    sizes = [each.sidecar / MEGABYTE for each in steady]
    lines.append(f"sidecar: {sizes[0]:.2f} MB at first, {sizes[-1]:.2f} MB at last")
    return lines, wrong


def counted(samples: list[Sample]) -> dict[str, list[int]]:
    """What must not grow at all."""
    return {
        "descriptors of the parent": [each.parent.descriptors for each in samples],
        "descriptors of the workers": [each.workers.descriptors for each in samples],
        "threads of the parent": [each.parent.threads for each in samples],
        "files beside the sidecar": [each.files for each in samples],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=duration, default=120.0, help="how long")
    parser.add_argument("--seed", type=int, default=0, help="of what is done")
    parser.add_argument("--keep", type=Path, help="an empty folder for the home, which is kept")
    parser.add_argument("--postgresql", action="store_true", help="with the sidecar in a server started for it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="resonance-soak-", ignore_cleanup_errors=True) as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with server_if(options.postgresql) as server:
            address = server.create_database() if server else ""
            household, samples = soak(folder, options.minutes, options.seed, address)
    lines, wrong = growth(samples)
    for line in [*lines, *household.broken, f"{household.commands} commands, {household.refused} refused"]:
        print_line(line)
    return 1 if wrong or household.broken else 0


if __name__ == "__main__":
    sys.exit(main())
