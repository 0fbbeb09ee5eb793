"""The lock on the analysis of a library, and how the foreground takes it over from the background worker.

It is held by the kernel: it is released when the process dies, however that happens.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import is_starting, job_state_of, start_worker
from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beets.logging import BeetsLogger

    from beetsplug.resonance.background.job_state import JobState
    from beetsplug.resonance.library.sidecar import Sidecar

LOCK_NAME = "resonance-"
BACKGROUND = "background"
FOREGROUND = "analysis"
RETRY_SECONDS = 0.05
LONGEST_NOTE = 64
TRY_SECONDS = 0.5  # for the lock, before its holder is looked up
PATIENCE = 60.0  # seconds for the background worker to exit


class Holder(NamedTuple):
    """The process that has a lock, and its kind: BACKGROUND or FOREGROUND; of one that has just taken it, pid 0."""

    pid: int
    kind: str

    def __str__(self) -> str:
        return f" (pid {self.pid})" if self.pid else ""


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
            if lock_file(descriptor, fcntl.LOCK_SH):  # several may look at once
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


def lock_file(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock of an open file, alone or shared; False where another process has it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise StoreError(f"Nothing can be locked in the folder of the library: {error.strerror}.") from error
    return True


def lock_of(sidecar: Sidecar) -> ProcessLock:
    """Return the lock on the analysis of a library; of one sidecar's libraries, each has its own.

    Where the sidecar is shared, its server need not answer for it.
    """
    library = Path(sidecar.library.path).name if sidecar.settings.sidecar else sidecar.id
    return ProcessLock(sidecar.folder / f"{LOCK_NAME}{library}.lock")


def is_analysing(sidecar: Sidecar) -> bool:
    """Return whether a process analyses the library of a sidecar, or is about to; changes nothing."""
    if not sidecar.exists:
        return False
    if lock_of(sidecar).holder() is not None:
        return True
    job_state = job_state_of(sidecar)
    return is_starting(job_state.requests, job_state.progress, time.time())


@contextmanager
def block_analysis(sidecar: Sidecar) -> Iterator[None]:
    """Hold the locks of all libraries of the sidecar for the time of a `with`; raises UserError if one is taken."""
    with ExitStack() as locks:
        for path in sorted(sidecar.folder.glob(f"{LOCK_NAME}*.lock")):
            lock = ProcessLock(path)
            locks.callback(lock.release)
            while not lock.acquire(FOREGROUND, 0):
                holder = lock.holder()
                if holder is not None:
                    raise UserError(f"resonance: an analysis is running{holder}; wait until it is done, or end it")
        yield


@contextmanager
def exclusive_analysis(sidecar: Sidecar, whole: bool, log: BeetsLogger) -> Iterator[None]:
    """Hold the analysis lock of a library for the time of a `with`; `whole` if all that is pending gets done.

    Raises UserError while another command analyses. The background worker exits first, and is started again afterwards
    for requests that are still open.
    """
    job_state, lock = job_state_of(sidecar), lock_of(sidecar)
    take_over(job_state, lock, log)
    requested = job_state.requests.requested
    try:
        yield
        if whole:
            job_state.mark_served(requested)
    finally:
        lock.release()
        requests = job_state.requests
        # Of the worker that had to exit, and of those that were started meanwhile and met the lock.
        if requests.open and not requests.paused:
            log.info("the background analysis goes on")
            start_worker(sidecar)


def take_over(job_state: JobState, lock: ProcessLock, log: BeetsLogger) -> None:
    """Take the lock, and let the background worker exit for it."""
    announced: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while not lock.acquire(FOREGROUND, TRY_SECONDS):
        holder = lock.holder()
        if holder is None or (not holder.pid and time.monotonic() < deadline):
            continue
        if holder.kind != BACKGROUND or time.monotonic() > deadline:
            raise UserError(f"resonance: another analysis is running{holder}; wait until it is done")
        if holder.pid not in announced:
            announced.add(holder.pid)
            log.info("waiting for the background analysis{} to make way", holder)
        job_state.request_exit()  # again each time: it may have begun anew, for a request that came meanwhile
