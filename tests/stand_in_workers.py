"""Workers whose child is a stand-in, which does what the name of a file says, and what tests ask of them."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

STAND_IN = Path(__file__).with_name("stand_in.py")
TIMEOUT = 10.0


def unwanted(_: bytes) -> bool:
    return False


def wanted(_: bytes) -> bool:
    return True


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for counts as alive too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid(worker: Worker) -> int:
    assert worker.child is not None
    return worker.child.process.pid


def key(name: str) -> bytes:
    """The content key that the stand-in gives a file."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


class StandIn(Worker):
    """A worker whose child is `tests/stand_in.py`."""

    beginning = ""

    def command(self) -> list[str]:
        return [sys.executable, "-S", "-E", str(STAND_IN), self.beginning]


class StandInListener(Worker):
    """A worker whose child is `tests/stand_in_listener.py`."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.stand_in_listener", str(self.memory)]
