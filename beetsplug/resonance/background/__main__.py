"""python -m beetsplug.resonance.background TASK

The process that analyses in the background. It loads neither the user's configuration nor other plugins, and reads the
library without changing it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from beets import config
from beets.exceptions import UserError
from beets.library import Library
from beets.logging import getLogger

from beetsplug.resonance.background.job_state import job_state_of
from beetsplug.resonance.background.spawn import Task
from beetsplug.resonance.background.status import ProgressReporter
from beetsplug.resonance.background.watch import Time
from beetsplug.resonance.background.worker import BackgroundWorker
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from sqlite3 import Connection

PATIENCE = 60.0  # seconds to wait for whoever writes to the library


class ReadOnlyLibrary(Library):
    """A library that was brought up to date by who asked for the work; SQLite refuses to change it."""

    def _migrate(self) -> None:
        return

    def _create_connection(self) -> Connection:
        connection = super()._create_connection()
        connection.execute("PRAGMA query_only = ON")
        return connection


def main(text: str) -> None:
    task = Task.read(text)
    os.nice(task.settings.nice)
    config.clear()
    config.read(user=False)
    config["timeout"] = PATIENCE
    try:
        if Path(task.library).is_file():  # SQLite would make an empty one
            work(task)
    except Exception as error:
        # Nobody sees a traceback of this process.
        say(task, str(error) if isinstance(error, ResonanceError | UserError) else f"unexpected {error!r}")


def work(task: Task) -> None:
    library = ReadOnlyLibrary(task.library, task.directory)
    runner = BackgroundWorker(library, task.settings, getLogger("beets.resonance"), Time())
    signal.signal(signal.SIGTERM, lambda *_: runner.terminate())
    try:
        runner.run()
    finally:
        runner.close()
        library._close()


def say(task: Task, what: str) -> None:
    """Leave word of what kept the work from beginning, where `status` finds it."""
    sidecar = Sidecar(cast("Library", SimpleNamespace(path=Path(task.library))), task.settings)
    with closing(sidecar), suppress(ResonanceError):  # of a store that is broken too, which `status` says itself
        if sidecar.exists:
            ProgressReporter(job_state_of(sidecar), time.monotonic).end(what)


if __name__ == "__main__":
    main(sys.argv[1])
