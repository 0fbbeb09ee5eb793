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
from beets.library import Library
from beets.logging import getLogger

from beetsplug.resonance.background.job_state import BackgroundTask, ProgressReporter, job_state_of
from beetsplug.resonance.background.monitor import Clocks
from beetsplug.resonance.background.worker import BackgroundWorker
from beetsplug.resonance.error_guard import describe_error
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from sqlite3 import Connection

PATIENCE = 60.0  # seconds to wait for another program that writes to the library


class ReadOnlyLibrary(Library):
    """A library that the requesting process brought up to date; SQLite refuses to change it."""

    def _migrate(self) -> None:
        return

    def _create_connection(self) -> Connection:
        connection = super()._create_connection()
        connection.execute("PRAGMA query_only = ON")
        return connection


def main(text: str) -> None:
    task = BackgroundTask.from_json(text)
    os.nice(task.settings.nice)
    config.clear()
    config.read(user=False)
    config["timeout"] = PATIENCE
    try:
        if Path(task.library).is_file():  # SQLite would make an empty one
            run(task)
    except Exception as error:
        # A traceback of this process would go nowhere.
        note_failure(task, describe_error(error) or f"unexpected {error!r}")


def run(task: BackgroundTask) -> None:
    library = ReadOnlyLibrary(task.library, task.directory)
    worker = BackgroundWorker(library, task.settings, getLogger("beets.resonance"), Clocks())
    signal.signal(signal.SIGTERM, lambda *_: worker.terminate())
    try:
        worker.run()
    finally:
        worker.close()
        library._close()


def note_failure(task: BackgroundTask, message: str) -> None:
    """Note what kept the work from beginning, for `status` to show."""
    sidecar = Sidecar(cast("Library", SimpleNamespace(path=Path(task.library))), task.settings)
    # Of a store that is broken too, `status` itself says so.
    with closing(sidecar), suppress(ResonanceError, OSError):
        if sidecar.exists:
            ProgressReporter(job_state_of(sidecar), time.monotonic).end(message)


if __name__ == "__main__":
    main(sys.argv[1])
