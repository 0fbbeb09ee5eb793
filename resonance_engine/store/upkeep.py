"""What nobody needs any more, dropped from the file, and the room that it took given back."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from sqlalchemy import delete

from resonance_engine.store.database import Database
from resonance_engine.store.models import RemovedTable
from resonance_engine.store.reading.vectors import CONTENT_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The file is written again when at least so many bytes, and so much of it, would be saved.
WORTHWHILE_BYTES = 1_000_000
WORTHWHILE_SHARE = 0.1


class Upkeep(Database):
    """Verbs that make the file smaller and change nothing that can be read of it."""

    def would_prune(self, library: int, item_ids: Iterable[int]) -> int:
        """How many recordings `prune` would drop, were these items of a library forgotten first."""
        gone = {(library, item_id) for item_id in item_ids}
        statement = " UNION ".join(f"SELECT content_key FROM {table}" for table in CONTENT_TABLES)  # noqa: S608 - constants
        with self._transaction() as transaction:
            tracks = transaction.driver.execute("SELECT library_id, item_id, content_key FROM track").fetchall()
            known = {key for (key,) in transaction.driver.execute(statement)}
        return len(known - {key for *item, key in tracks if tuple(item) not in gone})

    def drop_tombstones(self) -> int:
        """Forget which vectors are gone, and say how many those were.

        An index file that still holds some of them has more vectors than the store then, which is how `apply_changes`
        finds that it is of no use.
        """
        with self._transaction(writes=True) as transaction:
            return transaction.connection.execute(delete(RemovedTable)).rowcount

    def compact(self) -> int:
        """Write the file again without its empty pages, where that is worthwhile; says how many bytes that saved.

        Does nothing while another program uses the file, or where there is no room for a second one.
        """
        with self._transaction() as transaction:
            [size] = transaction.driver.execute("PRAGMA page_size").fetchone()
            [count] = transaction.driver.execute("PRAGMA page_count").fetchone()
            [free] = transaction.driver.execute("PRAGMA freelist_count").fetchone()
        if size * free < WORTHWHILE_BYTES or free < WORTHWHILE_SHARE * count:
            return 0
        before = _bytes(self.path)
        self.close()
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(0, before - _bytes(self.path))


def _bytes(path: Path) -> int:
    return path.stat().st_size
