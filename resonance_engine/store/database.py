"""Transactions on a sidecar's database, whichever it is: snapshots to read, and turns to write."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.writer import Writer, WriteTransaction


class _OpenTransactions(threading.local):
    """The transactions that the current thread is in."""

    reading: Snapshot | None = None
    writing: WriteTransaction | None = None


class Database(ABC):
    """A sidecar's database; safe to share between threads and processes.

    Each thread works in its own transaction. Writers take turns, readers see the last committed state and never wait.
    """

    name: str
    """What messages name it by: a path, or an address without its password."""

    def __init__(self) -> None:
        self._open = _OpenTransactions()
        self._opening = threading.RLock()
        self._turn_to_write = threading.Lock()
        self._idle: list[Any] = []  # connections of the driver, between two snapshots
        self._writer: Writer | None = None

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """Let everything that this thread reads inside come from one state of the database, which the snapshot shows.

        Within a `write`, it is the state with what was written so far.
        """
        current = self._open.writing.driver if self._open.writing else self._open.reading
        if current is not None:
            yield current
            return
        with self.snapshot() as self._open.reading:
            try:
                yield self._open.reading
            finally:
                self._open.reading = None

    @contextmanager
    def write(self) -> Iterator[WriteTransaction]:
        """Make one transaction of all that this thread does inside: on an error nothing of it is kept."""
        if self._open.writing is not None:
            yield self._open.writing
            return
        if self._open.reading is not None:
            raise RuntimeError("Write before or after `with store.read()`, not inside: what was read may have changed.")
        with self.transaction() as transaction:
            self._open.writing = transaction
            try:
                yield transaction
            finally:
                self._open.writing = None

    def close(self) -> None:
        """Close the connections; using the database again opens it again."""
        with self._opening:
            while self._idle:
                self._idle.pop().close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    @property
    def identity(self) -> str:
        """What tells a shared sidecar from all others; empty for a file."""
        return ""

    @property
    def revision(self) -> int:
        """A number that rises with each write to a shared sidecar; 0 for a file, whose state on the disk tells."""
        return 0

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether anything was ever stored."""

    @property
    def obstacle(self) -> str:
        """Why nothing can be stored where nothing is yet, a sentence; empty where that is not known to be so."""
        return ""

    @property
    @abstractmethod
    def size(self) -> int:
        """The bytes that the database takes."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Begin a transaction that reads."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[WriteTransaction]:
        """Begin a transaction that writes, when it is this one's turn."""

    @abstractmethod
    def write_state(self, key: str, text: str) -> None:
        """Write one row of `state`."""

    @abstractmethod
    def last_ids(self, snapshot: Snapshot) -> dict[str, int]:
        """Return the greatest id that rows ever had by table, of those whose ids are never used again."""

    @abstractmethod
    def compact(self) -> int:
        """Give back room that nothing takes any more; return how many bytes."""

    @abstractmethod
    def _make_writer(self) -> Writer:
        """Make the connections that write, and the tables where they are missing or older; loads SQLAlchemy."""

    def _open_writer(self) -> Writer:
        with self._opening:
            if self._writer is None:
                self._writer = self._make_writer()
            return self._writer
