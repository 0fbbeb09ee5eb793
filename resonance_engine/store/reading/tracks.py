"""Which item of which library holds which recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.store.reading.view import Reading
from resonance_engine.store.records import EMBEDDING, Counts, TrackRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

TRACKS = "SELECT item_id, added, size, mtime_ns, content_key FROM track WHERE library_id = ?"
# Both tables in the order of their content keys: from one random place to the next takes ten times as long.
EMBEDDED = (
    "FROM vector CROSS JOIN track ON track.content_key = vector.content_key "
    f"WHERE model_id = ? AND kind = '{EMBEDDING}' AND vector.content_key >= x'' AND library_id = ?"
)
BEHIND = "FROM vector CROSS JOIN track ON track.content_key = vector.content_key WHERE library_id = ? AND vector.id IN"
MANY = 10_000


class TrackReading(Reading):
    """Verbs that read the tracks of libraries; `library` is the number that `known_library` and `library` give."""

    def known_library(self, name: str) -> int | None:
        """The number of a library; None where nothing was ever noted of one of that name."""
        with self._view() as view:
            return library_number(view.driver, name)

    def tracks(self, library: int) -> dict[int, TrackRow]:
        """All known items of a library by their ids."""
        with self._view() as view:
            return {row[0]: TrackRow(*row) for row in view.driver.execute(TRACKS, (library,))}

    def tracks_of(self, library: int, item_ids: Iterable[int]) -> dict[int, TrackRow]:
        """Some items of a library by their ids; those that are not known are left out."""
        rows = self._rows(f"{TRACKS} AND item_id IN", map(int, item_ids), library)
        return {row[0]: TrackRow(*row) for row in rows}

    def items_of(self, library: int, vector_ids: Iterable[int]) -> dict[int, list[int]]:
        """The items that hold the recordings of vectors, by vector id; ids without items are left out."""
        found: dict[int, list[int]] = {}
        for vector_id, item_id in sorted(
            self._rows(f"SELECT vector.id, item_id {BEHIND}", map(int, vector_ids), library)
        ):
            found.setdefault(vector_id, []).append(item_id)
        return found

    def tracks_behind(self, library: int, vector_ids: Iterable[int]) -> dict[int, list[TrackRow]]:
        """As `items_of`, with all that is known of the items, in order of their ids."""
        columns = "vector.id, item_id, added, size, mtime_ns, track.content_key"
        found: dict[int, list[TrackRow]] = {}
        for vector_id, *row in sorted(self._rows(f"SELECT {columns} {BEHIND}", map(int, vector_ids), library)):
            found.setdefault(vector_id, []).append(TrackRow(*row))
        return found

    def vector_ids(self, library: int, item_ids: Iterable[int] | None, model_id: str) -> dict[int, int]:
        """The ids of items' embeddings, by item id, or those of all known items; items without one are left out."""
        chosen = None if item_ids is None else set(map(int, item_ids))
        if chosen is not None and len(chosen) <= MANY:
            statement = (
                "SELECT item_id, vector.id FROM track JOIN vector ON vector.content_key = track.content_key "
                "WHERE library_id = ? AND model_id = ? AND kind = ? AND item_id IN"
            )
            return dict(self._rows(statement, chosen, library, model_id, EMBEDDING))
        with self._view() as view:
            rows = view.driver.execute(f"SELECT item_id, vector.id {EMBEDDED}", (model_id, library)).fetchall()
        return dict(rows if chosen is None else (row for row in rows if row[0] in chosen))

    def linked_embeddings(self, library: int, model_id: str) -> dict[bytes, int]:
        """The ids of the embeddings of a library's recordings, by content key; recordings without one are left out."""
        with self._view() as view:
            rows = view.driver.execute(f"SELECT vector.content_key, vector.id {EMBEDDED}", (model_id, library))
            return dict(rows.fetchall())

    def counts(self, library: int, model_id: str) -> Counts:
        """How many tracks of a library are linked, how many of them embedded, how many files failed."""
        with self._view() as view:

            def count(rows: str, *parameters: int | str) -> int:
                return int(view.driver.execute(f"SELECT count(*) {rows}", parameters).fetchone()[0])

            return Counts(
                linked=count("FROM track WHERE library_id = ?", library),
                embedded=count(EMBEDDED, model_id, library),
                failed=count("FROM failure WHERE library_id = ?", library),
            )


def library_number(driver: sqlite3.Connection, name: str) -> int | None:
    row = driver.execute("SELECT id FROM library WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]
