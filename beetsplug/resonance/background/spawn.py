"""Request background analysis, and start the process for it, which needs neither terminal nor configuration."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.process_lock import FOREGROUND, ProcessLock
from beetsplug.resonance.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beetsplug.resonance.library.sidecar import Sidecar

SEARCH_SETTINGS = ("caps", "exclude", "profiles")  # of no use to an analysis
MODULE = "beetsplug.resonance.background"


@dataclass(frozen=True)
class BackgroundTask:
    """The argument of a background process: the library's file and music folder, and the user's settings."""

    library: str
    directory: str
    settings: Settings

    def to_json(self) -> str:
        """Return the task as one argument of a command; names that are no text survive it."""
        settings = {name: value for name, value in asdict(self.settings).items() if name not in SEARCH_SETTINGS}
        return json.dumps({"library": self.library, "directory": self.directory, "settings": settings})

    @classmethod
    def from_json(cls, text: str) -> Self:
        content: dict[str, Any] = json.loads(text)
        return cls(content["library"], content["directory"], Settings(**content["settings"]))


def lock_of(sidecar: Sidecar) -> ProcessLock:
    """Return the lock on the analysis of a library; of one sidecar's libraries, each has its own."""
    return ProcessLock(sidecar.path.with_name(f"{sidecar.path.stem}-{sidecar.id}.lock"))


@contextmanager
def block_analysis(sidecar: Sidecar) -> Iterator[None]:
    """Hold the locks of all libraries of the sidecar for the time of a `with`; raises UserError if one is taken."""
    with ExitStack() as locks:
        for path in sorted(sidecar.path.parent.glob(f"{sidecar.path.stem}-*.lock")):
            lock = ProcessLock(path)
            locks.callback(lock.release)
            while not lock.acquire(FOREGROUND, 0):
                holder = lock.holder()
                if holder is not None:
                    raise UserError(
                        f"resonance: an analysis is running (pid {holder.pid}); wait until it is done, or end it"
                    )
        yield


def request_work(sidecar: Sidecar) -> bool:
    """Request the analysis of what is pending; False while the background is paused: `resume` goes on then.

    A process that finds another one at work ends; the one at work reads the count of requests before it ends.
    """
    if job_state_of(sidecar).request().paused:
        return False
    start_worker(sidecar)
    return True


def start_worker(sidecar: Sidecar) -> None:
    """Start a process for what was requested."""
    library = sidecar.library
    task = BackgroundTask(str(Path(library.path).absolute()), os.fsdecode(library.directory), sidecar.settings)
    sidecar.runtime.spawn([sys.executable, "-P", "-m", MODULE, task.to_json()])
