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

FAKE_PROCESS = Path(__file__).with_name("fake_worker_process.py")
TIMEOUT = 10.0


def all_known(_: bytes) -> bool:
    return True


def is_alive(pid: int) -> bool:
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


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


class FakeProcessWorker(Worker):
    """A worker whose child is `tests/fake_worker_process.py`."""

    beginning = ""

    def command(self) -> list[str]:
        return [sys.executable, "-S", "-E", str(FAKE_PROCESS), self.beginning]


class FakeServerWorker(Worker):
    """A worker whose child is `tests/fake_worker_server.py`."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.fake_worker_server", str(self.memory)]
