"""Start the background: a process of its own, which needs neither the terminal nor the user's configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.process_lock import FOREGROUND, ProcessLock
from beetsplug.resonance.config.settings import Settings
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beetsplug.resonance.library.sidecar import Sidecar

OF_LISTS = ("caps", "exclude", "profiles")  # settings that say nothing about analysing
MODULE = "beetsplug.resonance.background"


@dataclass(frozen=True)
class Task:
    """What a runner has to know: the library's file and music folder, and the settings of the user."""

    library: str
    directory: str
    settings: Settings

    def text(self) -> str:
        """As one argument of a command; names that are no text survive it."""
        settings = {name: value for name, value in asdict(self.settings).items() if name not in OF_LISTS}
        return json.dumps({"library": self.library, "directory": self.directory, "settings": settings})

    @classmethod
    def read(cls, text: str) -> Self:
        content: dict[str, Any] = json.loads(text)
        return cls(content["library"], content["directory"], Settings(**content["settings"]))


def lock_of(sidecar: Sidecar) -> ProcessLock:
    """The lock that whoever analyses a library holds; a sidecar may serve several libraries, each with its own."""
    return ProcessLock(sidecar.path.with_name(f"{sidecar.path.stem}-{sidecar.id}.lock"))


@contextmanager
def idle(sidecar: Sidecar) -> Iterator[None]:
    """Let nobody analyse a library of the sidecar for the time of a `with`; raises UserError while somebody does."""
    with ExitStack() as held:
        for path in sorted(sidecar.path.parent.glob(f"{sidecar.path.stem}-*.lock")):
            lock = ProcessLock(path)
            held.callback(lock.release)
            while not lock.acquire(FOREGROUND, 0):
                holder = lock.holder()
                if holder is not None:
                    raise UserError(
                        f"resonance: an analysis is running (pid {holder.pid}); wait until it is done, or end it"
                    )
        yield


def request(sidecar: Sidecar) -> bool:
    """Ask for what is pending to be analysed; False while the background is paused: `resume` goes on then.

    A process that finds another one at work ends; the one at work looks at the count of requests before it ends.
    """
    if job_state_of(sidecar).request().paused:
        return False
    begin(sidecar)
    return True


def begin(sidecar: Sidecar) -> None:
    """Start a runner for what was asked."""
    library = sidecar.library
    task = Task(str(Path(library.path).absolute()), os.fsdecode(library.directory), sidecar.settings)
    spawn([sys.executable, "-P", "-m", MODULE, task.text()])


def spawn(command: list[str]) -> None:
    """Start a process that belongs to no terminal, holds no folder, and survives this one."""
    root = str(Path(__file__).parents[3])
    others = [str(Path(each).absolute()) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *others])},
            start_new_session=True,
        )
    except OSError as error:
        raise ResonanceError(f"The background analysis does not start: {error.strerror}.") from error
    # Nobody here waits for it, and Python would warn about that.
    process.returncode = 0
