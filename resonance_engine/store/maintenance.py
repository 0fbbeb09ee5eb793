"""Deletion of what no library needs any more, and the room on the disk given back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.store.sqlite_file import select_in
from resonance_engine.store.sqlite_statements import QUIET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.store.database import Database

CONTENT_TABLES = ("vector", "window", "tag", "passage", "analysis")
WINDOWS = 'SELECT content_key, position FROM "window" WHERE content_key IN'


@dataclass(frozen=True)
class Maintenance:
    """Work on the whole file; nothing that a library's tracks refer to changes."""

    database: Database

    def orphans(self) -> set[bytes]:
        """Return the content keys of recordings that are in no library any more."""
        statement = " UNION ".join(
            f'SELECT content_key FROM "{table}" WHERE content_key NOT IN (SELECT content_key FROM track)'  # noqa: S608 - a constant
            for table in CONTENT_TABLES
        )
        with self.database.read() as snapshot:
            return {key for (key,) in snapshot.execute(statement)}

    def count_prunable(self, library: int, item_ids: Iterable[int]) -> int:
        """Count the recordings that `prune` would delete, were these items of a library unlinked first."""
        unlinked = {(library, item_id) for item_id in item_ids}
        statement = " UNION ".join(f'SELECT content_key FROM "{table}"' for table in CONTENT_TABLES)  # noqa: S608 - constants
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
        """Give back room that nothing takes any more, where that is worthwhile; return how many bytes."""
        return self.database.compact()
