"""A copy in memory of a database whose log can be used neither where it is nor without the right to write.

SQLite reads a file with a log by an index of that log beside it, which it makes where it may. On a read-only medium, or
in a folder of another user, the log of a writer that was killed has none.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from resonance_engine.errors import StoreError, describe_os_error
from resonance_engine.store.errors import describe_unreadable, find_logs, store_error

ATTEMPTS = 3
COPY = "copy.db"


def copy_to_memory(path: Path) -> sqlite3.Connection:
    """Return a connection to a copy of a database and what its log commits; the files stay as they are.

    Raises StoreError where they can't be copied, or another program goes on writing them.
    """
    real = path.resolve()
    for _ in range(ATTEMPTS):
        files = {file: f"{COPY}{file.name.removeprefix(real.name)}" for file in (real, *find_logs(path))}
        before = [file_state(file) for file in files]
        try:
            with tempfile.TemporaryDirectory(prefix="resonance-") as folder:
                for file, name in files.items():
                    shutil.copyfile(file, Path(folder) / name)
                if [file_state(file) for file in files] == before:
                    return load(Path(folder) / COPY)
        except OSError as error:
            raise StoreError(describe_unreadable(path) or f"{describe_os_error(error)}.") from error
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    raise store_error(path, locked) from locked


def file_state(path: Path) -> tuple[int, int]:
    """Return the size and modification time of a file, by which a write of it is noticed."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def load(path: Path) -> sqlite3.Connection:
    """Return a connection to a copy in memory of a database, which may be written to."""
    with ExitStack() as on_error, closing(sqlite3.connect(path)) as source:
        memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        on_error.callback(memory.close)
        source.backup(memory)
        on_error.pop_all()
        return memory
