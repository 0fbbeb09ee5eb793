"""One analysis of a library at a time, kept by the kernel: it lets go when the process dies, however that happens."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BACKGROUND = "background"
FOREGROUND = "analysis"
RETRY_SECONDS = 0.05
LONGEST_NOTE = 64


class Holder(NamedTuple):
    """Who has a lock: the process, and whether it is the background or a command."""

    pid: int
    kind: str


class ProcessLock:
    """A lock on a file that stays when it is free: deleting it could let two processes in at once."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.clock = clock
        self.descriptor: int | None = None

    def acquire(self, kind: str, patience: float) -> bool:
        """Take it, trying for so many seconds: whoever asks for the `holder` has it for a moment too."""
        deadline = self.clock() + patience
        while True:
            descriptor = opened(self.path)
            try:
                if locked(descriptor):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{os.getpid()} {kind}".encode(), 0)
                    self.descriptor = descriptor
                    return True
            finally:
                if self.descriptor is None:
                    os.close(descriptor)
            if self.clock() >= deadline:
                return False
            time.sleep(RETRY_SECONDS)

    def release(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def holder(self) -> Holder | None:
        """Who has it now, None when it is free, and for a file that may not be written to."""
        if not self.path.exists():
            return None
        try:
            descriptor = opened(self.path)
        except StoreError:
            return None  # where nobody can write, nobody analyses
        try:
            if locked(descriptor):
                return None
            note = os.pread(descriptor, LONGEST_NOTE, 0).decode("ascii", "replace").split()
            with suppress(ValueError):
                pid, kind = note
                return Holder(int(pid), kind)
            return Holder(0, FOREGROUND)  # it was taken this very moment
        finally:
            os.close(descriptor)


def opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"The file {printable(path)} cannot be opened: {error.strerror}.") from error


def locked(descriptor: int) -> bool:
    """Take the lock of an open file, if it is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise StoreError(f"Nothing can be locked in the folder of the library: {error.strerror}.") from error
    return True
