"""Deletion of what no library needs any more, and the room on the disk given back."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.store.sqlite_file import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.store.database import Database

CONTENT_TABLES = ("vector", "window", "tag", "passage", "analysis")
# SQLite may look into what is no JSON where conditions are joined by AND.
QUIET = (
    "SELECT content_key, json_extract(attributes, '$.energy') FROM analysis "
    "WHERE CASE WHEN typeof(attributes) = 'text' AND json_valid(attributes) "
    "THEN json_extract(attributes, '$.energy') < ? ELSE 0 END"
)
WINDOWS = "SELECT content_key, position FROM window WHERE content_key IN"
# The file is written again when at least so many bytes, and so much of it, would be saved.
WORTHWHILE_BYTES = 1_000_000
WORTHWHILE_SHARE = 0.1
PRAGMAS = ("page_size", "page_count", "freelist_count")


@dataclass(frozen=True)
class Maintenance:
    """Work on the whole file; nothing that a library's tracks refer to changes."""

    database: Database

    def orphans(self) -> set[bytes]:
        """Return the content keys of recordings that are in no library any more."""
        statement = " UNION ".join(
            f"SELECT content_key FROM {table} WHERE content_key NOT IN (SELECT content_key FROM track)"  # noqa: S608 - a constant
            for table in CONTENT_TABLES
        )
        with self.database.read() as snapshot:
            return {key for (key,) in snapshot.execute(statement)}

    def count_prunable(self, library: int, item_ids: Iterable[int]) -> int:
        """Count the recordings that `prune` would delete, were these items of a library unlinked first."""
        unlinked = {(library, item_id) for item_id in item_ids}
        statement = " UNION ".join(f"SELECT content_key FROM {table}" for table in CONTENT_TABLES)  # noqa: S608 - constants
        with self.database.read() as snapshot:
            tracks = snapshot.execute("SELECT library_id, item_id, content_key FROM track").fetchall()
            known = {key for (key,) in snapshot.execute(statement)}
        return len(known - {key for *item, key in tracks if tuple(item) not in unlinked})

    def prune(self) -> int:
        """Delete the recordings that are in no library any more, and return how many those were.

        A recording that another process has put and not yet linked counts as one: do both in one transaction.
        """
        with self.database.write() as transaction:
            orphans = self.orphans()
            for table in CONTENT_TABLES:
                transaction.delete(table, "content_key", orphans)
            return len(orphans)

    def silent_recordings(self, level: float) -> set[bytes]:
        """Return the content keys of recordings of which no window can be louder than `level`, in dBFS.

        The energy of an analysis is the mean over n windows: the loudest is at most 10 log10(n) dB above it.
        """
        counts: dict[bytes, int] = {}
        with self.database.read() as snapshot:
            energies = dict(snapshot.execute(QUIET, (level,)).fetchall())
            for key, position in select_in(snapshot, WINDOWS, energies):
                counts[key] = max(position + 1, counts.get(key, 0))
        return {key for key, count in counts.items() if energies[key] + 10 * math.log10(count) < level}

    def drop_silent(self, level: float) -> int:
        """Delete these recordings, which earlier versions took for music, and unlink their tracks; return how many.

        Their files are analysed again then, and fail.
        """
        silent = self.silent_recordings(level)
        if silent:
            with self.database.write() as transaction:
                for table in ("track", *CONTENT_TABLES):
                    transaction.delete(table, "content_key", silent)
        return len(silent)

    def drop_tombstones(self) -> int:
        """Delete the records of removed vectors, and return how many those were.

        An index file that still holds some of them has more vectors than the store then, which is how `apply_changes`
        finds that it is of no use.
        """
        with self.database.write() as transaction:
            return transaction.clear("removed")

    def compact(self) -> int:
        """Write the file again without its empty pages, where that is worthwhile; return how many bytes that saved.

        Does nothing while another program uses the file, or where there is no room for a second one.
        """
        with self.database.read() as snapshot:
            size, count, free = (snapshot.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in PRAGMAS)
        if size * free < WORTHWHILE_BYTES or free < WORTHWHILE_SHARE * count:
            return 0
        path = self.database.path
        before = path.stat().st_size
        self.database.close()
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(0, before - path.stat().st_size)
