"""Files that could not be analysed: table `failure`."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from resonance_engine.store.records import Failure

if TYPE_CHECKING:
    from resonance_engine.store.database import Database

FAILURES = "SELECT path, size, mtime_ns, reason, tries, last_tried FROM failure WHERE library_id = ?"


@dataclass(frozen=True)
class FailureTable:
    """Failures by library and path; a file is not tried again until it changes or the user asks."""

    database: Database

    def all(self, library: int) -> dict[bytes, Failure]:
        """Return the failures of a library, by path."""
        with self.database.read() as transaction:
            return {row[0]: Failure(*row) for row in transaction.rows(f"{FAILURES} ORDER BY path", library)}

    def record(self, library: int, path: bytes, size: int, mtime_ns: int, reason: str) -> None:
        """Store that a file can't be analysed; tries count up while the file stays the same."""
        with self.database.write() as transaction:
            rows = transaction.rows(f"{FAILURES} AND path = ?", library, path)
            earlier = [Failure(*row) for row in rows]
            same = bool(earlier) and (earlier[0].size, earlier[0].mtime_ns) == (size, mtime_ns)
            tries = earlier[0].tries + 1 if same else 1
            failure = Failure(path, size, mtime_ns, reason, tries, last_tried=time.time())
            transaction.upsert("failure", [{"library_id": library, **asdict(failure)}])

    def clear(self, library: int, *paths: bytes) -> None:
        """Delete the failures of files, because they were analysed or are gone."""
        statement = "SELECT path FROM failure WHERE library_id = ? AND path IN"
        with self.database.read() as snapshot:
            known = [path for (path,) in snapshot.rows_in(statement, paths, library)]
        if known:
            with self.database.write() as transaction:
                transaction.delete("failure", "path", known, library_id=library)
