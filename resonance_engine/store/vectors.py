"""Embeddings, facets and windows of recordings, kept and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, or_, select
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.store.codec import encode, verify
from resonance_engine.store.database import Database, Transaction
from resonance_engine.store.models import AnalysisTable, TagTable, TrackTable, VectorTable, WindowTable
from resonance_engine.store.reading.models import known_model
from resonance_engine.store.reading.vectors import orphans
from resonance_engine.store.records import EMBEDDING, Embedding, Model
from resonance_engine.store.tags import put_tags
from resonance_engine.store.tombstones import delete_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping


class Vectors(Database):
    """Verbs that change the vectors of recordings, by content key and model."""

    def put(self, content_key: bytes, model_id: str, embedding: Embedding) -> None:
        """Keep what a model says of a recording; see `put_many`."""
        self.put_many(model_id, {content_key: embedding})

    def put_many(self, model_id: str, embeddings: Mapping[bytes, Embedding]) -> None:
        """Keep what a model says of recordings, by content key.

        What is known already stays as it is, what differs is replaced under its old id; facets, windows and
        tags that aren't given stay. Raises ValueError for a vector that isn't float32, finite, of unit length
        within 1e-3 and of the model's width, and for tags that aren't the model's or no probabilities, and
        StoreError for a model that isn't registered; nothing is kept then.
        """
        with self._transaction(writes=True) as transaction:
            model = known_model(transaction.driver, model_id)
            for embedding in embeddings.values():
                verify(embedding, model)
            _put_vectors(transaction, model, embeddings)
            _put_windows(transaction, model, embeddings)
            put_tags(transaction, model, embeddings)

    def prune(self) -> int:
        """Drop the recordings that are in no library any more, and say how many those were.

        A recording that another process has put and not yet linked counts as one: do both in one transaction.
        """
        with self._transaction(writes=True) as transaction:
            gone = len(orphans(transaction.driver))
            if gone:
                linked = select(TrackTable.content_key)
                delete_vectors(transaction, VectorTable.content_key.not_in(linked))
                for table in (WindowTable, TagTable, AnalysisTable):
                    transaction.connection.execute(delete(table).where(table.content_key.not_in(linked)))
            return gone


def _put_vectors(transaction: Transaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    generation = transaction.next_generation()
    values = [
        {
            "content_key": key,
            "model_id": model.id,
            "kind": kind,
            "generation": generation,
            "gate": embedding.gates.get(kind),
            "data": encode(vector),
        }
        for key, embedding in embeddings.items()
        for kind, vector in [(EMBEDDING, embedding.vector), *embedding.facets.items()]
    ]
    if values:
        row = insert(VectorTable)
        given = row.excluded
        upsert = row.on_conflict_do_update(
            index_elements=["content_key", "model_id", "kind"],
            set_={"generation": given.generation, "gate": given.gate, "data": given.data},
            where=or_(VectorTable.data != given.data, VectorTable.gate.is_distinct_from(given.gate)),
        )
        transaction.advance(generation, transaction.connection.execute(upsert, values).rowcount)


def _put_windows(transaction: Transaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    given = {key: embedding.windows for key, embedding in embeddings.items() if embedding.windows}
    if not given:
        return
    old = delete(WindowTable).where(WindowTable.content_key == bindparam("key"), WindowTable.model_id == model.id)
    transaction.connection.execute(old, [{"key": key} for key in given])
    values = [
        {
            "content_key": key,
            "model_id": model.id,
            "position": position,
            "start": start,
            "data": encode(vector),
        }
        for key, windows in given.items()
        for position, (start, vector) in enumerate(zip(windows.starts, windows.vectors, strict=True))
    ]
    if values:
        transaction.connection.execute(insert(WindowTable), values)
