"""Which item of which library holds which recording."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.store.database import Database, chunks
from resonance_engine.store.models import FailureTable, LibraryTable, TrackTable, VectorTable
from resonance_engine.store.records import EMBEDDING, Counts, TrackRow

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tracks(Database):
    """Verbs on the tracks of libraries; `library` is the number that `Store.library` gives."""

    def library(self, name: str) -> int:
        """The number of a library, which is made when there is none of that name."""
        query = select(LibraryTable.id).where(LibraryTable.name == name)
        with self._transaction() as transaction:
            known = transaction.connection.scalar(query)
        if known is None:
            with self._transaction(writes=True) as transaction:
                row = insert(LibraryTable).values(uuid=str(uuid4()), name=name)
                transaction.connection.execute(row.on_conflict_do_nothing(index_elements=["name"]))
                known = transaction.connection.scalars(query).one()
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

    def tracks(self, library: int) -> dict[int, TrackRow]:
        """All known items of a library by their ids."""
        query = select(
            TrackTable.item_id, TrackTable.added, TrackTable.size, TrackTable.mtime_ns, TrackTable.content_key
        ).where(TrackTable.library_id == library)
        with self._transaction() as transaction:
            return {row[0]: TrackRow(*row) for row in transaction.connection.execute(query)}

    def tracks_of(self, library: int, item_ids: Iterable[int]) -> dict[int, TrackRow]:
        """Some items of a library by their ids; those that are not known are left out."""
        query = select(
            TrackTable.item_id, TrackTable.added, TrackTable.size, TrackTable.mtime_ns, TrackTable.content_key
        ).where(TrackTable.library_id == library)
        return {row[0]: TrackRow(*row) for row in self._rows(query, TrackTable.item_id, item_ids)}

    def items_of(self, library: int, vector_ids: Iterable[int]) -> dict[int, list[int]]:
        """The items that hold the recordings of vectors, by vector id; ids without items are left out."""
        query = (
            select(VectorTable.id, TrackTable.item_id)
            .join(TrackTable, TrackTable.content_key == VectorTable.content_key)
            .where(TrackTable.library_id == library)
            .order_by(TrackTable.item_id)
        )
        found: dict[int, list[int]] = {}
        for vector_id, item_id in self._rows(query, VectorTable.id, map(int, vector_ids)):
            found.setdefault(vector_id, []).append(item_id)
        return found

    def vector_ids(self, library: int, item_ids: Iterable[int], model_id: str) -> dict[int, int]:
        """The ids of items' embeddings, by item id; items without one are left out."""
        query = (
            select(TrackTable.item_id, VectorTable.id)
            .join(VectorTable, VectorTable.content_key == TrackTable.content_key)
            .where(
                TrackTable.library_id == library,
                VectorTable.model_id == model_id,
                VectorTable.kind == EMBEDDING,
            )
        )
        return dict(self._rows(query, TrackTable.item_id, map(int, item_ids)))

    def counts(self, library: int, model_id: str) -> Counts:
        """How many tracks of a library are linked, how many of them embedded, how many files failed."""
        linked = select(func.count()).where(TrackTable.library_id == library)
        embedded = linked.where(
            TrackTable.content_key == VectorTable.content_key,
            VectorTable.model_id == model_id,
            VectorTable.kind == EMBEDDING,
        )
        failed = select(func.count()).where(FailureTable.library_id == library)
        with self._transaction() as transaction:
            return Counts(*(transaction.connection.scalars(query).one() for query in (linked, embedded, failed)))
