"""Which item of which library holds which recording."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import delete, update
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.store.database import Database
from resonance_engine.store.models import LibraryTable, TrackTable
from resonance_engine.store.reading.tracks import library_number
from resonance_engine.store.reading.view import chunks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.store.records import TrackRow


class Tracks(Database):
    """Verbs that change the tracks of libraries; `library` is the number that `Store.library` gives."""

    def library(self, name: str) -> int:
        """The number of a library, which is made when there is none of that name."""
        with self._transaction() as transaction:
            known = library_number(transaction.driver, name)
        if known is None:
            with self._transaction(writes=True) as transaction:
                row = insert(LibraryTable).values(uuid=str(uuid4()), name=name)
                transaction.connection.execute(row.on_conflict_do_nothing(index_elements=["name"]))
                known = library_number(transaction.driver, name)
        assert known is not None, "it was made"
        return known

    def link(self, library: int, track: TrackRow) -> None:
        """Say which recording an item holds, instead of what was said of it before."""
        self.link_many(library, [track])

    def link_many(self, library: int, tracks: Iterable[TrackRow]) -> None:
        """Say which recordings items hold, instead of what was said of them before."""
        values = [{"library_id": library, **asdict(track)} for track in tracks]
        if not values:
            return
        row = insert(TrackTable)
        given = {name: row.excluded[name] for name in ("added", "size", "mtime_ns", "content_key")}
        upsert = row.on_conflict_do_update(index_elements=["library_id", "item_id"], set_=given)
        with self._transaction(writes=True) as transaction:
            transaction.connection.execute(upsert, values)

    def unlink(self, library: int, item_ids: Iterable[int]) -> int:
        """Forget items; their recordings stay until `prune`. Says how many items were known."""
        query = delete(TrackTable).where(TrackTable.library_id == library)
        with self._transaction(writes=True) as transaction:
            return sum(
                transaction.connection.execute(query.where(TrackTable.item_id.in_(chunk))).rowcount
                for chunk in chunks(item_ids)
            )

    def restat(self, library: int, item_id: int, size: int, mtime_ns: int) -> bool:
        """Note that an item's file was rewritten with the same audio in it; False for an unknown item."""
        row = update(TrackTable).where(TrackTable.library_id == library, TrackTable.item_id == item_id)
        with self._transaction(writes=True) as transaction:
            return transaction.connection.execute(row.values(size=size, mtime_ns=mtime_ns)).rowcount > 0
