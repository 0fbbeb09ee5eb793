"""Embeddings, facets and windows of recordings, and what changed since when: tables `vector`, `window`, `removed`."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from resonance_engine.errors import StoreError
from resonance_engine.store.annotations import HAS_TAGS, put_tags
from resonance_engine.store.models import select_model, select_models
from resonance_engine.store.records import (
    EMBEDDING,
    FLOAT16,
    Changes,
    Halves,
    Ids,
    Matrix,
    Vector,
    Windows,
    decode,
    decode_rows,
)
from resonance_engine.store.snapshot import read_batches
from resonance_engine.store.sqlite_file import read_generation, select_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from resonance_engine.store.database import Database
    from resonance_engine.store.models import Model
    from resonance_engine.store.records import Embedding
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.writer import WriteTransaction

Number = TypeVar("Number", np.float16, np.float32)

LENGTH_TOLERANCE = 1e-3

# The rows of a kind after a generation; a facet's come with the row of their recording's embedding.
EMBEDDINGS = "vector AS embedding WHERE embedding.model_id = ? AND embedding.kind = ? AND embedding.generation > ?"
FACETS = (
    "vector AS facet JOIN vector AS embedding ON embedding.content_key = facet.content_key "
    f"AND embedding.model_id = facet.model_id AND embedding.kind = '{EMBEDDING}' "
    "WHERE facet.model_id = ? AND facet.kind = ? AND facet.generation > ?"
)

# By content keys, for which indexes do; to look at generations takes the tables themselves.
FACET_COUNT = (
    "SELECT count(*) FROM vector AS embedding CROSS JOIN vector AS facet "  # noqa: S608 - a constant
    "ON facet.content_key = embedding.content_key AND facet.model_id = embedding.model_id AND facet.kind = ? "
    f"WHERE embedding.model_id = ? AND embedding.kind = '{EMBEDDING}' AND embedding.content_key >= x''"
)

# The sign keeps SQLite from the order of libraries, in which it would have to sort the keys first.
LINKED_COUNT = "SELECT count(DISTINCT content_key) FROM track WHERE +library_id = ?"
UNLINKED = (
    "SELECT id FROM vector WHERE model_id = ? AND kind = ? "
    "AND NOT EXISTS (SELECT 1 FROM track WHERE track.content_key = vector.content_key AND library_id = ?)"
)


@dataclass(frozen=True)
class VectorTable:
    """Vectors by content key, model and kind (the embedding, or a facet); an embedding's id is its id in the index."""

    database: Database

    def embedded(self, content_keys: Iterable[bytes], model_id: str) -> set[bytes]:
        """Return those of the recordings that the model has an embedding of."""
        statement = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ? AND content_key IN"
        with self.database.read() as snapshot:
            return {key for (key,) in select_in(snapshot, statement, content_keys, (model_id, EMBEDDING))}

    def complete(self, content_keys: Iterable[bytes], model_id: str) -> set[bytes]:
        """Return those of the recordings that have all that the model gives: an embedding and, if it has any, tags.

        The others have to be analysed, some of them again: those embedded before tags were stored have none.
        """
        statement = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ?"
        with self.database.read() as snapshot:
            if any(model.tags for model in select_models(snapshot) if model.id == model_id):
                statement += f" AND {HAS_TAGS}"
            rows = select_in(snapshot, f"{statement} AND content_key IN", content_keys, (model_id, EMBEDDING))
            return {key for (key,) in rows}

    def get(self, content_keys: Iterable[bytes], model_id: str, kind: str = EMBEDDING) -> dict[bytes, Vector]:
        """Return the vectors of recordings by content key; those without one are left out."""
        statement = "SELECT content_key, data FROM vector WHERE model_id = ? AND kind = ? AND content_key IN"
        with self.database.read() as snapshot, self._damage():
            width = select_model(snapshot, model_id).widths().get(kind, 0)
            rows = select_in(snapshot, statement, content_keys, (model_id, kind))
            return {key: decode(data, width) for key, data in rows}

    def gates(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, dict[str, float]]:
        """Return the weights of the facets in recordings' embeddings, by content key and modality."""
        statement = (
            "SELECT content_key, kind, gate FROM vector WHERE model_id = ? AND gate IS NOT NULL AND content_key IN"
        )
        gates: dict[bytes, dict[str, float]] = {}
        with self.database.read() as snapshot:
            for key, kind, gate in select_in(snapshot, statement, content_keys, (model_id,)):
                gates.setdefault(key, {})[kind] = gate
        return gates

    def windows(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, Windows]:
        """Return the embeddings of recordings' windows in order of position, by content key."""
        statement = 'SELECT content_key, position, start, data FROM "window" WHERE model_id = ? AND content_key IN'
        windows: dict[bytes, tuple[list[float], list[Vector]]] = {}
        with self.database.read() as snapshot, self._damage():
            width = select_model(snapshot, model_id).dimensions
            rows = select_in(snapshot, statement, content_keys, (model_id,))
            for key, _, start, data in sorted(rows, key=itemgetter(0, 1)):
                starts, vectors = windows.setdefault(key, ([], []))
                starts.append(start)
                vectors.append(decode(data, width))
        return {key: Windows(tuple(starts), np.stack(vectors)) for key, (starts, vectors) in windows.items()}

    def content_keys(self, vector_ids: Iterable[int]) -> dict[int, bytes]:
        """Return the recordings that vectors are of, by vector id; ids that are gone are left out."""
        with self.database.read() as snapshot:
            return dict(select_in(snapshot, "SELECT id, content_key FROM vector WHERE id IN", map(int, vector_ids)))

    def count(self, model_id: str, kind: str = EMBEDDING) -> int:
        """Count the vectors of that kind that the model has."""
        with self.database.read() as snapshot:
            if kind == EMBEDDING:
                return _count(snapshot, model_id, kind)
            return int(snapshot.execute(FACET_COUNT, (kind, model_id)).fetchone()[0])

    def unlinked_embeddings(self, library: int, model_id: str) -> list[int]:
        """Return the ids of embeddings without a track in a library: orphans, and those of other libraries alone."""
        with self.database.read() as snapshot:
            # To compare keys takes ten times as long as to count them.
            if snapshot.execute(LINKED_COUNT, (library,)).fetchone()[0] == _count(snapshot, model_id, EMBEDDING):
                return []
            return [vector_id for (vector_id,) in snapshot.execute(UNLINKED, (model_id, EMBEDDING, library))]

    def matrix(self, model_id: str, kind: str = EMBEDDING) -> tuple[Ids, Matrix]:
        """Return all vectors of a kind: ids in ascending order, shape (n,), and vectors, shape (n, width).

        Facets come under the ids of the recordings' embeddings.
        """
        with self.database.read() as snapshot:
            return self._matrix(snapshot, model_id, kind, since=-1)

    def halves(self, model_id: str, kind: str = EMBEDDING) -> tuple[Ids, Halves]:
        """Return what `matrix` does, with vectors as they are stored, in half the memory."""
        with self.database.read() as snapshot:
            ids, halves = self._rows(snapshot, model_id, kind, -1, np.float16)
            return ids, halves

    def changes(self, model_id: str, since_generation: int, kind: str = EMBEDDING) -> Changes:
        """Return the embeddings, or facets under their ids, that were added, replaced or removed after a generation."""
        statement = "SELECT vector_id FROM removed WHERE model_id = ? AND generation > ? ORDER BY vector_id"
        with self.database.read() as snapshot:
            ids, vectors = self._matrix(snapshot, model_id, kind, since_generation)
            removed = [vector_id for (vector_id,) in snapshot.execute(statement, (model_id, since_generation))]
            return Changes(read_generation(snapshot), ids, vectors, np.array(removed, np.int64))

    def put(self, content_key: bytes, model_id: str, embedding: Embedding) -> None:
        """Store what a model gives for a recording; see `put_many`."""
        self.put_many(model_id, {content_key: embedding})

    def put_many(self, model_id: str, embeddings: Mapping[bytes, Embedding]) -> None:
        """Store what a model gives for recordings, by content key: vectors, windows and tags.

        What is stored already stays as it is, what differs is replaced under its old id; facets, windows and
        tags that aren't given stay. Raises ValueError for a vector that isn't float32, finite, of unit length
        within 1e-3 and of the model's width, and for tags that aren't the model's or no probabilities, and
        StoreError for a model that isn't registered; nothing is stored then.
        """
        with self.database.write() as transaction:
            model = select_model(transaction.driver, model_id)
            for embedding in embeddings.values():
                verify(embedding, model)
            _put_vectors(transaction, model, embeddings)
            _put_windows(transaction, model, embeddings)
            put_tags(transaction, model, embeddings)

    def _matrix(self, driver: Snapshot, model_id: str, kind: str, since: int) -> tuple[Ids, Matrix]:
        return self._rows(driver, model_id, kind, since, np.float32)

    def _rows(
        self, driver: Snapshot, model_id: str, kind: str, since: int, numbers: type[Number]
    ) -> tuple[Ids, NDArray[Number]]:
        model = select_model(driver, model_id)
        if kind not in model.widths():
            raise ValueError(f"The model {model.name} has no {kind!r}; it has {', '.join(model.widths())}.")
        count = _count(driver, model_id, kind, since)
        ids = np.empty(count, np.int64)
        vectors = np.empty((count, model.widths()[kind]), numbers)
        owner, source = ("embedding", EMBEDDINGS) if kind == EMBEDDING else ("facet", FACETS)
        # The order of the index. SQLite would copy all vectors to sort them by id alone.
        statement = f"SELECT embedding.id, {owner}.data FROM {source} ORDER BY {owner}.generation, {owner}.id"  # noqa: S608 - constants
        filled = 0
        for rows in read_batches(driver, statement, (model_id, kind, since)):
            part = slice(filled, filled + len(rows))
            ids[part], data = zip(*rows, strict=True)
            with self._damage():
                decode_rows(data, vectors[part])
            filled = part.stop
        if (ids[1:] < ids[:-1]).any():
            order = np.argsort(ids)
            ids, vectors = ids[order], vectors[order]
        return ids, vectors

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Raise StoreError for values that are no vectors."""
        try:
            yield
        except ValueError as error:
            raise StoreError(
                f"{self.database.name} holds damaged vectors ({error}); run `beet resonance check --repair`."
            ) from error


def _count(driver: Snapshot, model_id: str, kind: str, since: int = -1) -> int:
    rows = EMBEDDINGS if kind == EMBEDDING else FACETS
    return int(driver.execute(f"SELECT count(*) FROM {rows}", (model_id, kind, since)).fetchone()[0])  # noqa: S608 - a constant


def verify(embedding: Embedding, model: Model) -> None:
    """Raise ValueError for what in `embedding` the model can't have given."""
    widths = model.widths()
    unknown = sorted((set(embedding.facets) | set(embedding.gates)) - set(model.modalities))
    if unknown:
        known = ", ".join(model.modalities) or "none"
        raise ValueError(f"The model {model.name} has no facet {unknown[0]!r}; its facets: {known}.")
    named = [("embedding", embedding.vector, model.dimensions)]
    named += [(f"{kind} facet", facet, widths[kind]) for kind, facet in embedding.facets.items()]
    if embedding.windows:
        starts, vectors = embedding.windows.starts, embedding.windows.vectors
        if len(starts) != len(vectors):
            raise ValueError(f"There are {len(vectors)} windows and {len(starts)} starting times; give one to each.")
        named += [(f"window at {start:g} s", row, model.dimensions) for start, row in zip(starts, vectors, strict=True)]
    for name, vector, width in named:
        reason = vector_defect(vector, width)
        if reason:
            raise ValueError(f"The {name} {reason}.")
    for kind, gate in embedding.gates.items():
        if not math.isfinite(gate):
            raise ValueError(f"The gate of the {kind} facet should be a finite number and is {gate}.")
    _verify_tags(embedding, model)


def _verify_tags(embedding: Embedding, model: Model) -> None:
    """Raise ValueError where tags are given that are not all of the model's, or no probabilities."""
    if not embedding.tags:
        return
    odd = sorted(set(embedding.tags) ^ set(model.tags))
    if odd:
        raise ValueError(f"The {len(model.tags)} tags of {model.name} come all at once; {odd[0]!r} is the odd one.")
    for name, probability in embedding.tags.items():
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"The tag {name!r} should have a probability of 0 to 1 and has {probability}.")


def vector_defect(vector: Vector, width: int, tolerance: float = LENGTH_TOLERANCE) -> str | None:
    """Return what is wrong with a vector, as the end of a sentence; None when it can be stored."""
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.shape != (width,):
        actual = f"{vector.dtype} {vector.shape}" if isinstance(vector, np.ndarray) else type(vector).__name__
        return f"should be float32 ({width},) and is {actual}"
    if not np.isfinite(vector).all():
        return "holds values that are not finite"
    length = float(np.linalg.norm(vector))
    if abs(length - 1.0) > tolerance:
        return f"should have length 1 and has {length:.4f}"
    return None


def _put_vectors(transaction: WriteTransaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    generation = transaction.next_generation()
    columns = ("content_key", "model_id", "kind", "generation", "gate", "data")
    values = (
        (key, model.id, kind, generation, embedding.gates.get(kind), vector.astype(FLOAT16).tobytes())
        for key, embedding in embeddings.items()
        for kind, vector in [(EMBEDDING, embedding.vector), *embedding.facets.items()]
    )
    rows = [dict(zip(columns, row, strict=True)) for row in values]
    written = transaction.upsert("vector", rows, key=columns[:3], compare=("gate", "data"))
    transaction.advance(generation, written)


def _put_windows(transaction: WriteTransaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    windows = {key: embedding.windows for key, embedding in embeddings.items() if embedding.windows}
    transaction.delete("window", "content_key", windows, model_id=model.id)
    rows = [
        {"content_key": key, "model_id": model.id, "position": place, "start": start, "data": vector.tobytes()}
        for key, stored in windows.items()
        for place, (start, vector) in enumerate(zip(stored.starts, stored.vectors.astype(FLOAT16), strict=True))
    ]
    transaction.upsert("window", rows)
