"""A lock between processes, held by the kernel: it is released when the process dies, however that happens."""

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
    """The process that has a lock, and its kind: BACKGROUND or FOREGROUND."""

    pid: int
    kind: str


class ProcessLock:
    """A lock on a file that stays when it is free: deleting it could let two processes in at once."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[int, bytes, int], int] = os.pwrite,
    ) -> None:
        self.path = path
        self.clock = clock
        self.write = write
        self.descriptor: int | None = None

    def acquire(self, kind: str, patience: float) -> bool:
        """Take the lock, trying for `patience` seconds: a process that reads the `holder` has it for a moment, too.

        Raises StoreError where the file cannot be written or locked.
        """
        deadline = self.clock() + patience
        while True:
            descriptor = self.open_file()
            try:
                if lock_file(descriptor):
                    os.ftruncate(descriptor, 0)
                    self.write(descriptor, f"{os.getpid()} {kind}".encode(), 0)
                    self.descriptor = descriptor
                    return True
            except OSError as error:  # a full disk
                raise StoreError(f"The file {printable(self.path)} cannot be written: {error.strerror}.") from error
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
        """Return the process that has the lock, None when it is free, and for a file that may not be written."""
        if not self.path.exists():
            return None
        try:
            descriptor = self.open_file()
        except StoreError:
            return None  # where nothing can be written, nothing is analysed
        try:
            if lock_file(descriptor):
                return None
            note = os.pread(descriptor, LONGEST_NOTE, 0).decode("ascii", "replace").split()
            with suppress(ValueError):
                pid, kind = note
                return Holder(int(pid), kind)
            return Holder(0, FOREGROUND)  # it was taken this very moment
        finally:
            os.close(descriptor)

    def open_file(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"The file {printable(self.path)} cannot be opened: {error.strerror}.") from error


def lock_file(descriptor: int) -> bool:
    """Take the lock of an open file; False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise StoreError(f"Nothing can be locked in the folder of the library: {error.strerror}.") from error
    return True
