"""Writers in processes of their own that are killed while they write, and what is seen of that afterwards.

Processes are forked from one that has opened no database and searched nothing: that takes milliseconds, and nothing is
shared that a fork would tear.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LATEST = 0.06  # seconds of writing before a kill, at most, where a kind of writing does not take longer
LONGEST_START = 120.0  # seconds until a writer begins
PLACES = ("before", "in a write", "between")
LEFT = re.compile(r"\..*\.[0-9a-f]{16}|.*\.part(-journal|-wal|-shm)?")
BLOCK = 2**16


@dataclass
class WriterLog:
    """What the writers in one folder said: writes by their numbers, and the generation of what was written last."""

    begun: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    generation: int = 0

    @property
    def last(self) -> int:
        """The number of the last write that was begun; -1 before the first."""
        return self.begun[-1] if self.begun else -1

    def record_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            word, number = line.split()
            if word == "generation":
                self.generation = int(number)
            else:
                getattr(self, word).append(int(number))


@dataclass(frozen=True)
class CrashFindings:
    """What was found after a kill: losses, temporary files that it left, and those that the next write left there."""

    losses: list[str]
    left: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Kill:
    """One kill: of which kind of writer, where it landed, and what was found then."""

    kind: str
    number: int
    place: str
    findings: CrashFindings


class Announce(Protocol):
    """How a writer announces that it is `ready`, has `begun` a write or `done` it, and at which `generation` it is."""

    def __call__(self, word: str, number: int = 0) -> None: ...


class Kind(Protocol):
    """A kind of writing. Each method is called in a process of its own.

    `prepare` makes a folder ready and says facts about it, in JSON; `write` goes on for ever, with writes of numbers
    that rise from `first`; `examine` is called after each kill.
    """

    name: str
    kills_per_home: int  # in one folder, which `prepare` made
    latest: float  # seconds of writing before a kill, at most

    def prepare(self, home: Path) -> Any: ...

    def write(self, home: Path, facts: Any, first: int, announce: Announce) -> None: ...

    def examine(self, home: Path, facts: Any, log: WriterLog) -> CrashFindings: ...


def fork(work: Callable[[int], None]) -> tuple[int, int]:
    """The id of a new process that works, and where to read what it writes to the descriptor that it is given."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.close(reading)
            work(writing)
            status = 0
        except BrokenPipeError:
            pass  # nobody is there any more
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    return process, reading


def read_pipe(descriptor: int) -> str:
    """All that is yet to come from a process, which then has ended."""
    parts = []
    while part := os.read(descriptor, BLOCK):
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode()


def call_in_fork(question: Callable[[], Any]) -> Any:
    """What a process of its own answers, by way of JSON; RuntimeError when it fails."""

    def answer(descriptor: int) -> None:
        with os.fdopen(descriptor, "w") as file:
            json.dump(question(), file)

    process, descriptor = fork(answer)
    output = read_pipe(descriptor)
    if os.waitpid(process, 0)[1]:
        raise RuntimeError("A process that prepares or examines has failed; what it said stands above.")
    return json.loads(output)


def kill_writer(kind: Kind, home: Path, facts: Any, log: WriterLog, moment: float) -> tuple[str, list[str]]:
    """Let a writer write for so many seconds; says where its end came, and what is wrong with how it ended."""
    first = log.last + 1

    def work(descriptor: int) -> None:
        def announce(word: str, number: int = 0) -> None:
            os.write(descriptor, f"{word} {number}\n".encode())

        kind.write(home, facts, first, announce)

    process, descriptor = fork(work)
    select.select([descriptor], [], [], LONGEST_START)
    time.sleep(moment)
    os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    lines = read_pipe(descriptor).splitlines()
    if not lines or os.WIFEXITED(status):
        return PLACES[0], ["the writer did not begin, or ended by itself; what it said stands above"]
    mine = WriterLog()
    mine.record_lines(lines[1:])  # the first says that it is ready
    log.record_lines(lines[1:])
    if not mine.begun:
        return PLACES[0], []
    return PLACES[2 if mine.last in mine.done else 1], []


def examine(kind: Kind, home: Path, facts: Any, log: WriterLog) -> CrashFindings:
    """What a kind finds in a folder, seen by a process of its own; whatever it stumbles over is a loss."""

    def question() -> tuple[list[str], int, int]:
        try:
            findings = kind.examine(home, facts, log)
        except Exception as error:
            traceback.print_exc()
            return [f"{type(error).__name__}: {error}"], 0, 0
        return findings.losses, findings.left, findings.kept

    return CrashFindings(*call_in_fork(question))


def left_behind(folder: Path, age: bool = False) -> int:
    """How many temporary files lie in a folder; `age` makes them as old as what a write sweeps away."""
    left = [path for path in folder.iterdir() if LEFT.fullmatch(path.name)]
    for path in left if age else ():
        os.utime(path, (1e9, 1e9))
    return len(left)


class Series:
    """Kills of one kind, a few in the same folder, then in a new one."""

    def __init__(self, kind: Kind, folder: Path, keep: bool = False) -> None:
        self.kind = kind
        self.folder = folder
        self.keep = keep
        self.count = 0
        self.home = folder
        self.facts: Any = None
        self.log = WriterLog()
        self.lost = False

    def kill(self, number: int, moment: float) -> Kill:
        """Kill a writer after so many seconds of its work and look what is there."""
        if self.count % self.kind.kills_per_home == 0 or self.lost:
            self.renew()
        self.count += 1
        place, losses = kill_writer(self.kind, self.home, self.facts, self.log, moment)
        findings = examine(self.kind, self.home, self.facts, self.log)
        losses += findings.losses
        self.lost = bool(losses)
        return Kill(self.kind.name, number, place, CrashFindings(losses, findings.left, findings.kept))

    def renew(self) -> None:
        if self.log.begun and not self.keep:
            shutil.rmtree(self.home)
        self.home, self.log = self.folder / f"{self.kind.name.replace(' ', '-')}-{self.count}", WriterLog()
        self.home.mkdir(parents=True)
        self.facts = call_in_fork(lambda: self.kind.prepare(self.home))
