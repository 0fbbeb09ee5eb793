"""Which item of which library holds which recording, and which files failed: tables `library`, `track`, `failure`."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from resonance_engine.store.records import EMBEDDING, Counts, Failure, LibraryRow, TrackRow
from resonance_engine.store.sqlite_file import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.store.database import Database

FAILURES = "SELECT path, size, mtime_ns, reason, tries, last_tried FROM failure WHERE library_id = ?"
TRACKS = "SELECT item_id, added, size, mtime_ns, content_key FROM track WHERE library_id = ?"
# Both tables in the order of their content keys: from one random place to the next takes ten times as long.
EMBEDDED = (
    "FROM vector CROSS JOIN track ON track.content_key = vector.content_key "
    f"WHERE model_id = ? AND kind = '{EMBEDDING}' AND vector.content_key >= x'' AND library_id = ?"
)
COUNTS = (
    "SELECT (SELECT count(*) FROM track WHERE library_id = ?), "  # noqa: S608 - constants
    f"(SELECT count(*) {EMBEDDED}), (SELECT count(*) FROM failure WHERE library_id = ?)"
)
# Up to this many items are looked up one by one, for more the whole library is read.
FEW_ITEMS = 10_000


@dataclass(frozen=True)
class LibraryTable:
    """Libraries, each a collection of items with ids of its own, by name or UUID; a sidecar may serve several."""

    database: Database

    def all(self) -> list[LibraryRow]:
        """Return all libraries, in order of id."""
        with self.database.read() as snapshot:
            return [LibraryRow(*row) for row in snapshot.execute("SELECT id, uuid, name FROM library ORDER BY id")]

    def ids(self) -> list[int]:
        """Return the ids of all libraries."""
        with self.database.read() as snapshot:
            return [library for (library,) in snapshot.execute("SELECT id FROM library ORDER BY id")]

    def find(self, name: str) -> int | None:
        """Return the id of a library, None where it has none yet."""
        with self.database.read() as snapshot:
            row = snapshot.execute("SELECT id FROM library WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def get_or_create(self, name: str) -> int:
        """Return the id of the library of a name, which gets one if it has none yet."""
        library = self.find(name)
        if library is None:
            from uuid import uuid4  # a query, which creates no library, need not load it

            with self.database.write():
                library = self.find(name)  # another process may have been faster
                if library is None:
                    library = self.add(name, str(uuid4())).id
        return library

    def add(self, name: str, uuid: str) -> LibraryRow:
        """Create a library; return it, or the one of that UUID. A name that is taken gets the start of the UUID."""
        with self.database.write() as transaction:
            rows = self.all()
            if all(row.uuid != uuid for row in rows):
                taken = {row.name for row in rows}
                free = next(each for each in (name, f"{name} {uuid[:8]}", f"{name} {uuid}") if each not in taken)
                transaction.upsert("library", [{"uuid": uuid, "name": free}], key=["name"])
            return next(row for row in self.all() if row.uuid == uuid)

    def rename(self, row: LibraryRow) -> None:
        """Give the library with the id of a row its name and UUID."""
        with self.database.write() as transaction:
            transaction.update("library", {"uuid": row.uuid, "name": row.name}, id=row.id)


@dataclass(frozen=True)
class TrackTable:
    """Rows that tie a library's items to recordings; `library` is the id that `LibraryTable` gives."""

    database: Database

    def all(self, library: int) -> dict[int, TrackRow]:
        """Return all known items of a library by their ids."""
        with self.database.read() as snapshot:
            return {row[0]: TrackRow(*row) for row in snapshot.execute(TRACKS, (library,))}

    def get(self, library: int, item_ids: Iterable[int]) -> dict[int, TrackRow]:
        """Return some items of a library by their ids; those that are not known are left out."""
        with self.database.read() as snapshot:
            rows = select_in(snapshot, f"{TRACKS} AND item_id IN", map(int, item_ids), (library,))
        return {row[0]: TrackRow(*row) for row in rows}

    def by_vector(self, library: int, vector_ids: Iterable[int]) -> dict[int, list[TrackRow]]:
        """Return the items that hold the recordings of vectors, by vector id; vectors without items are left out."""
        statement = (
            "SELECT vector.id, item_id, added, size, mtime_ns, track.content_key "
            "FROM vector CROSS JOIN track ON track.content_key = vector.content_key "
            "WHERE library_id = ? AND vector.id IN"
        )
        tracks: dict[int, list[TrackRow]] = {}
        with self.database.read() as snapshot:
            for vector_id, *row in sorted(select_in(snapshot, statement, map(int, vector_ids), (library,))):
                tracks.setdefault(vector_id, []).append(TrackRow(*row))
        return tracks

    def vector_ids(self, library: int, item_ids: Iterable[int] | None, model_id: str) -> dict[int, int]:
        """Return the ids of items' embeddings by item id, of all items for None; items without one are left out."""
        selected = None if item_ids is None else set(map(int, item_ids))
        with self.database.read() as snapshot:
            if selected is not None and len(selected) <= FEW_ITEMS:
                statement = (
                    "SELECT item_id, vector.id FROM track JOIN vector ON vector.content_key = track.content_key "
                    "WHERE library_id = ? AND model_id = ? AND kind = ? AND item_id IN"
                )
                return dict(select_in(snapshot, statement, selected, (library, model_id, EMBEDDING)))
            rows = snapshot.execute(f"SELECT item_id, vector.id {EMBEDDED}", (model_id, library)).fetchall()
        return dict(rows if selected is None else (row for row in rows if row[0] in selected))

    def linked_embeddings(self, library: int, model_id: str) -> dict[bytes, int]:
        """Return the ids of the embeddings of a library's recordings, by content key."""
        statement = f"SELECT vector.content_key, vector.id {EMBEDDED}"
        with self.database.read() as snapshot:
            return dict(snapshot.execute(statement, (model_id, library)).fetchall())

    def counts(self, library: int, model_id: str) -> Counts:
        """Count a library's tracks that are linked, those of them that are embedded, and its files that failed."""
        with self.database.read() as snapshot:
            return Counts(*snapshot.execute(COUNTS, (library, model_id, library, library)).fetchone())

    def count_copies(self, library: int) -> int:
        """Count the tracks of a library that hold the same recording as another one, without one for each recording."""
        statement = "SELECT count(*) - count(DISTINCT content_key) FROM track WHERE library_id = ?"
        with self.database.read() as snapshot:
            [copies] = snapshot.execute(statement, (library,)).fetchone()
        return int(copies)

    def link(self, library: int, track: TrackRow) -> None:
        """Tie an item to a recording, instead of the one that it was tied to."""
        self.link_many(library, [track])

    def link_many(self, library: int, tracks: Iterable[TrackRow]) -> None:
        """Tie items to recordings, instead of those that they were tied to."""
        rows = list(tracks)
        known = self.get(library, [track.item_id for track in rows])
        changed = [{"library_id": library, **asdict(row)} for row in rows if known.get(row.item_id) != row]
        if changed:
            with self.database.write() as transaction:
                transaction.upsert("track", changed)

    def unlink(self, library: int, item_ids: Iterable[int]) -> int:
        """Delete items, and return how many were known; their recordings stay until `Maintenance.prune`."""
        known = self.get(library, item_ids)
        if not known:
            return 0
        with self.database.write() as transaction:
            return transaction.delete("track", "item_id", known, library_id=library)

    def update_file(self, library: int, item_id: int, size: int, mtime_ns: int) -> bool:
        """Set the state of an item's file, rewritten with the same audio in it; False for an unknown item."""
        with self.database.write() as transaction:
            values = {"size": size, "mtime_ns": mtime_ns}
            return transaction.update("track", values, library_id=library, item_id=item_id) > 0


@dataclass(frozen=True)
class FailureTable:
    """Failures by library and path; a file is not tried again until it changes or the user asks."""

    database: Database

    def all(self, library: int) -> dict[bytes, Failure]:
        """Return the failures of a library, by path."""
        with self.database.read() as snapshot:
            return {row[0]: Failure(*row) for row in snapshot.execute(f"{FAILURES} ORDER BY path", (library,))}

    def record(self, library: int, path: bytes, size: int, mtime_ns: int, reason: str) -> None:
        """Store that a file can't be analysed; tries count up while the file stays the same."""
        with self.database.write() as transaction:
            row = transaction.driver.execute(f"{FAILURES} AND path = ?", (library, path)).fetchone()
            earlier = Failure(*row) if row else None
            same = earlier is not None and (earlier.size, earlier.mtime_ns) == (size, mtime_ns)
            tries = earlier.tries + 1 if earlier and same else 1
            failure = Failure(path, size, mtime_ns, reason, tries, last_tried=time.time())
            transaction.upsert("failure", [{"library_id": library, **asdict(failure)}])

    def clear(self, library: int, *paths: bytes) -> None:
        """Delete the failures of files, because they were analysed or are gone."""
        statement = "SELECT path FROM failure WHERE library_id = ? AND path IN"
        with self.database.read() as snapshot:
            known = [path for (path,) in select_in(snapshot, statement, paths, (library,))]
        if known:
            with self.database.write() as transaction:
                transaction.delete("failure", "path", known, library_id=library)
