"""Damaged audio files through real workers: none may do more than be refused.

    python -m tests.reliability.fuzz_audio --inputs 10000 [--seed 0] [--workers 2] [--keep FOLDER] [--only NUMBER]

Prints what became of them and exits with 1 where something became of them that may not. An input is told by the seed
and its number, so `--only` makes it again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.worker.worker import Worker
from tests.reliability.fuzz_files import Seed, seeds
from tests.reliability.fuzz_mutations import Case, case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resonance_engine.worker.worker import FileAnalysis

TIMEOUT = 20.0  # seconds for a file; a sound one takes less than one
LATE = 10.0  # seconds that it may take to notice that the time is over, and to start a new child
LONGEST_REASON = 300  # characters
MEMORY = 1300  # MB that a child may need: what it has with the model loaded, and what `worker.MEMORY` allows a file
UNIT = 1e-3
CRASHED = "decoding it "
HUNG = "it took longer than"
STRAY = "it could not be analysed"
PASSAGE, PASSAGE_EVERY = (0.5, 3.9), 8  # of every so many files only a part is heard
RESET_PEAK = "5"  # see proc_pid_clear_refs(5)


@dataclass(frozen=True)
class Result:
    """What became of one input: `violation` says why that may not be. `memory` is the child's peak in MB, if known."""

    number: int
    case: Case
    outcome: str
    reason: str
    seconds: float
    memory: float
    violation: str


@dataclass
class Tally:
    """What became of all inputs so far."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[Result] = field(default_factory=list)
    slowest: Result | None = None
    largest: Result | None = None

    @property
    def violations(self) -> list[Result]:
        return [each for each in self.findings if each.violation]

    def take(self, result: Result) -> None:
        self.outcomes[result.case.damage, result.outcome] += 1
        if result.outcome == "refused":
            self.reasons[plain(result.reason)] += 1
        if result.violation or result.outcome in ("crashed", "timed out"):
            self.findings.append(result)
        if self.slowest is None or result.seconds > self.slowest.seconds:
            self.slowest = result
        if self.largest is None or result.memory > self.largest.memory:
            self.largest = result


def analyse(worker: Worker, number: int, damaged: Case, path: Path) -> Result:
    """Write an input to `path`, have it identified and embedded, and judge what came of it."""
    damaged.write(path)
    worker.description()  # starts the child where the last input ended it
    forget_peak(worker)
    begun = time.monotonic()
    outcome, reason = "embedded", ""
    try:
        passage = None if number % PASSAGE_EVERY else PASSAGE
        violation = wrong_embedding(worker.analyse(path, passage=passage))
    except AudioError as error:
        outcome, reason = outcome_of(error.reason), error.reason
        violation = wrong_reason(reason)
    except Exception as error:
        outcome, reason, violation = "stray", str(error), f"{type(error).__name__} came through: {error}"
    seconds, memory = time.monotonic() - begun, peak(worker)
    if not violation and outcome == "refused" and damaged.damage == "intact":
        violation = f"an intact file is refused: {reason}"
    if not violation and seconds > TIMEOUT + LATE:
        violation = f"it took {seconds:.0f} s"
    if not violation and memory > MEMORY:
        violation = f"it took {memory:.0f} MB"
    return Result(number, damaged, outcome, reason, seconds, memory, violation)


def outcome_of(reason: str) -> str:
    if reason.startswith(CRASHED):
        return "crashed"
    return "timed out" if reason.startswith(HUNG) else "refused"


def wrong_reason(reason: str) -> str:
    """What is wrong with a reason, if anything."""
    if reason.startswith(STRAY):
        return f"an exception that nobody expected: {reason}"
    if not reason.isprintable() or not 5 < len(reason) <= LONGEST_REASON:
        return f"a reason that is no sentence: {reason[:LONGEST_REASON]!r}"
    return ""


def wrong_embedding(analysis: FileAnalysis) -> str:
    """What is wrong with an embedding, if anything."""
    embedding = analysis.embedding
    if embedding is None or embedding.windows is None or len(analysis.key) != 16:
        return "no embedding"
    lengths = np.linalg.norm([embedding.vector, *embedding.facets.values(), *embedding.windows.vectors], axis=1)
    if not (np.abs(lengths - 1) < UNIT).all():  # NaN is not less either
        return f"vectors of the lengths {lengths}"
    numbers = [*embedding.gates.values(), *embedding.tags.values(), *embedding.windows.starts]
    if not np.isfinite(numbers).all() or len(embedding.windows.starts) != len(embedding.windows.vectors):
        return f"odd numbers: {embedding.gates}, {embedding.windows.starts}"
    return ""


def forget_peak(worker: Worker) -> None:
    if worker.child is not None:
        with contextlib.suppress(OSError):
            Path(f"/proc/{worker.child.process.pid}/clear_refs").write_text(RESET_PEAK)


def peak(worker: Worker) -> float:
    """The most memory, in MB, that the child held since `forget_peak`; 0 where it ended or the system does not say."""
    if worker.child is None:
        return 0.0
    try:
        status = Path(f"/proc/{worker.child.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


def run(intact: list[Seed], numbers: Iterable[int], seed: int, workers: int, take: Callable[[Result], None]) -> None:
    """Have every input heard, by several workers side by side; `take` gets the results one at a time."""
    lock = threading.Lock()
    waiting = iter(numbers)

    def work(folder: Path) -> None:
        with closing(Worker(SHIPPED, TIMEOUT)) as worker:
            while True:
                with lock:
                    number = next(waiting, None)
                if number is None:
                    return
                damaged = case(intact, seed, number)
                path = folder / f"input{damaged.suffix}"
                result = analyse(worker, number, damaged, path)
                path.unlink()
                with lock:
                    take(result)

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as executor:
        folders = [Path(tempfile.mkdtemp(dir=name)) for _ in range(workers)]
        for _ in executor.map(work, folders):
            pass  # so that what a thread raises comes out


def plain(reason: str) -> str:
    """A reason without the numbers in it, so that like ones can be counted."""
    return "".join("0" if letter.isdigit() else letter for letter in reason)[:90]


def report(tally: Tally) -> str:
    """The table and what is to be looked into."""
    outcomes = sorted({outcome for _, outcome in tally.outcomes})
    damages = sorted({damage for damage, _ in tally.outcomes})
    lines = [" ".join([f"{'damage':16}", *(f"{outcome:>10}" for outcome in outcomes)])]
    for damage in damages:
        lines.append(" ".join([f"{damage:16}", *(f"{tally.outcomes[damage, each]:>10,}" for each in outcomes)]))
    totals = Counter[str]()
    for (_, outcome), count in tally.outcomes.items():
        totals[outcome] += count
    lines.append(" ".join([f"{'all':16}", *(f"{totals[outcome]:>10,}" for outcome in outcomes)]))
    lines += ["", "reasons:", *(f"{count:>8,}  {reason}" for reason, count in tally.reasons.most_common(25))]
    lines += ["", *(shown(each) for each in tally.findings)]
    if tally.slowest and tally.largest:
        lines += ["slowest: " + shown(tally.slowest), "largest: " + shown(tally.largest)]
    children, parent = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    lines.append(f"inputs: {sum(totals.values()):,}; violations: {len(tally.violations)}")
    lines.append(f"peak memory: {children:.0f} MB of a child, {parent:.0f} MB of the parent, which is alive")
    return "\n".join(lines)


def shown(result: Result) -> str:
    case = result.case
    size = f"{len(case.content)} + {case.hole} bytes"
    what = f"{result.outcome}: number {result.number}, {case.kind}, {case.damage}, {size}"
    return f"{what}, {result.seconds:.1f} s, {result.memory:.0f} MB: {result.violation or result.reason}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other inputs")
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--keep", type=Path, help="folder for the inputs that something is wrong with")
    parser.add_argument("--only", type=int, help="nothing but the input of this number")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        intact = seeds(Path(folder))
    tally = Tally()

    def take(result: Result) -> None:
        tally.take(result)
        if tally.findings[-1:] == [result]:
            print(shown(result), flush=True)
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                result.case.write(options.keep / f"{options.seed}-{result.number}{result.case.suffix}")
        if sum(tally.outcomes.values()) % 500 == 0:
            print(f"{sum(tally.outcomes.values()):,} heard", file=sys.stderr, flush=True)

    numbers = range(options.inputs) if options.only is None else [options.only]
    try:
        run(intact, numbers, options.seed, options.workers, take)
    except ResonanceError as error:
        print(error)
        return 1
    print(report(tally))
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
