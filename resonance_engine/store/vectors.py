"""Embeddings, facets and windows of recordings: in, out, and what changed since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select, union
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.codec import decode, decode_rows, encode, verify
from resonance_engine.store.database import Database, Transaction
from resonance_engine.store.models import AnalysisTable, RemovedTable, TrackTable, VectorTable, WindowTable
from resonance_engine.store.records import EMBEDDING, Changes, Embedding, Ids, Matrix, Model, Vector, Windows
from resonance_engine.store.registry import known_model
from resonance_engine.store.tombstones import bury

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROWS_AT_A_TIME = 5_000
CONTENT_TABLES = (VectorTable, WindowTable, AnalysisTable)


class Vectors(Database):
    """Verbs on the vectors of recordings, by content key and model."""

    def put(self, content_key: bytes, model_id: str, embedding: Embedding) -> None:
        """Keep what a model says of a recording; see `put_many`."""
        self.put_many(model_id, {content_key: embedding})

    def put_many(self, model_id: str, embeddings: Mapping[bytes, Embedding]) -> None:
        """Keep what a model says of recordings, by content key.

        What is known already stays as it is, what differs is replaced under its old id; facets and windows
        that aren't given stay. Raises ValueError for a vector that isn't float32, finite, of unit length
        within 1e-3 and of the model's width, and StoreError for a model that isn't registered; nothing is
        kept then.
        """
        with self._transaction(writes=True) as transaction:
            model = known_model(transaction, model_id)
            for embedding in embeddings.values():
                verify(embedding, model)
            _put_vectors(transaction, model, embeddings)
            _put_windows(transaction, model, embeddings)

    def has(self, content_keys: Iterable[bytes], model_id: str) -> set[bytes]:
        """Those of the recordings that the model has an embedding of."""
        query = select(VectorTable.content_key).where(*_of(model_id, EMBEDDING))
        return {key for (key,) in self._rows(query, VectorTable.content_key, content_keys)}

    def vectors(self, content_keys: Iterable[bytes], model_id: str, kind: str = EMBEDDING) -> dict[bytes, Vector]:
        """The vectors of recordings by content key; those without one are left out."""
        query = select(VectorTable.content_key, VectorTable.data).where(*_of(model_id, kind))
        return {key: decode(data) for key, data in self._rows(query, VectorTable.content_key, content_keys)}

    def gates(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, dict[str, float]]:
        """The weights of the facets in recordings' embeddings, by content key and modality."""
        query = select(VectorTable.content_key, VectorTable.kind, VectorTable.gate).where(
            VectorTable.model_id == model_id, VectorTable.gate.is_not(None)
        )
        found: dict[bytes, dict[str, float]] = {}
        for key, kind, gate in self._rows(query, VectorTable.content_key, content_keys):
            found.setdefault(key, {})[kind] = gate
        return found

    def windows(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, Windows]:
        """The embeddings of recordings' windows in order of position, by content key."""
        query = (
            select(WindowTable.content_key, WindowTable.start, WindowTable.data)
            .where(WindowTable.model_id == model_id)
            .order_by(WindowTable.content_key, WindowTable.position)
        )
        found: dict[bytes, tuple[list[float], list[Vector]]] = {}
        for key, start, data in self._rows(query, WindowTable.content_key, content_keys):
            starts, vectors = found.setdefault(key, ([], []))
            starts.append(start)
            vectors.append(decode(data))
        return {key: Windows(tuple(starts), np.stack(vectors)) for key, (starts, vectors) in found.items()}

    def content_keys(self, vector_ids: Iterable[int]) -> dict[int, bytes]:
        """The recordings that vectors are of, by vector id; ids that are gone are left out."""
        query = select(VectorTable.id, VectorTable.content_key)
        return dict(self._rows(query, VectorTable.id, map(int, vector_ids)))

    def vector_count(self, model_id: str, kind: str = EMBEDDING) -> int:
        """How many vectors of that kind the model has."""
        with self._transaction() as transaction:
            return _count(transaction, model_id, kind)

    def matrix(self, model_id: str, kind: str = EMBEDDING) -> tuple[Ids, Matrix]:
        """All vectors of a kind: ids in ascending order, shape (n,), and vectors, shape (n, width)."""
        with self._transaction() as transaction:
            return self._matrix(transaction, model_id, kind, since=-1)

    def changes(self, model_id: str, since_generation: int) -> Changes:
        """The embeddings that came, were replaced or went after a generation."""
        with self._transaction() as transaction:
            ids, vectors = self._matrix(transaction, model_id, EMBEDDING, since_generation)
            removed = transaction.connection.scalars(
                select(RemovedTable.vector_id)
                .where(RemovedTable.model_id == model_id, RemovedTable.generation > since_generation)
                .order_by(RemovedTable.vector_id)
            )
            return Changes(transaction.generation, ids, vectors, np.fromiter(removed, np.int64))

    def orphans(self) -> set[bytes]:
        """Content keys of recordings that are in no library any more."""
        with self._transaction() as transaction:
            return _orphans(transaction)

    def prune(self) -> int:
        """Drop the recordings that are in no library any more, and say how many those were.

        A recording that another process has put and not yet linked counts as one: do both in one transaction.
        """
        with self._transaction(writes=True) as transaction:
            gone = len(_orphans(transaction))
            if gone:
                linked = select(TrackTable.content_key)
                bury(transaction, VectorTable.content_key.not_in(linked))
                for table in CONTENT_TABLES[1:]:
                    transaction.connection.execute(delete(table).where(table.content_key.not_in(linked)))
            return gone

    def _matrix(self, transaction: Transaction, model_id: str, kind: str, since: int) -> tuple[Ids, Matrix]:
        model = known_model(transaction, model_id)
        if kind not in model.widths():
            raise ValueError(f"The model {model.name} has no {kind!r}; it has {', '.join(model.widths())}.")
        count = _count(transaction, model_id, kind, since)
        ids = np.empty(count, np.int64)
        vectors = np.empty((count, model.widths()[kind]), np.float32)
        query = (
            select(VectorTable.id, VectorTable.data)
            .where(*_of(model_id, kind), VectorTable.generation > since)
            # The order of the index. SQLite would copy all vectors to sort them by id alone.
            .order_by(VectorTable.generation, VectorTable.id)
            .execution_options(yield_per=ROWS_AT_A_TIME)
        )
        filled = 0
        for rows in transaction.connection.execute(query).partitions():
            part = slice(filled, filled + len(rows))
            ids[part], data = zip(*rows, strict=True)
            try:
                decode_rows(data, vectors[part])
            except ValueError as error:
                raise StoreError(
                    f"{printable(self.path)} holds damaged vectors ({error}); run the check with --repair."
                ) from error
            filled = part.stop
        if (ids[1:] < ids[:-1]).any():
            order = np.argsort(ids)
            ids, vectors = ids[order], vectors[order]
        return ids, vectors


def _of(model_id: str, kind: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return VectorTable.model_id == model_id, VectorTable.kind == kind


def _count(transaction: Transaction, model_id: str, kind: str, since: int = -1) -> int:
    query = select(func.count()).where(*_of(model_id, kind), VectorTable.generation > since)
    return transaction.connection.scalars(query).one()


def _orphans(transaction: Transaction) -> set[bytes]:
    linked = select(TrackTable.content_key)
    kept = [select(table.content_key).where(table.content_key.not_in(linked)) for table in CONTENT_TABLES]
    return set(transaction.connection.scalars(union(*kept)))


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
