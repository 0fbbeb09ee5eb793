"""Embeddings, facets and windows of recordings, and what changed since when."""

from __future__ import annotations

from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.codec import decode, decode_rows
from resonance_engine.store.reading.models import known_model
from resonance_engine.store.reading.view import Reading
from resonance_engine.store.records import EMBEDDING, Changes, Ids, Matrix, Vector, Windows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from resonance_engine.store.reading.view import View

ROWS_AT_A_TIME = 5_000
CONTENT_TABLES = ("vector", "window", "tag", "analysis")

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
STRANGERS = (
    "SELECT id FROM vector WHERE model_id = ? AND kind = ? "
    "AND NOT EXISTS (SELECT 1 FROM track WHERE track.content_key = vector.content_key AND library_id = ?)"
)


class VectorReading(Reading):
    """Verbs that read the vectors of recordings, by content key and model."""

    def has(self, content_keys: Iterable[bytes], model_id: str) -> set[bytes]:
        """Those of the recordings that the model has an embedding of."""
        statement = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ? AND content_key IN"
        return {key for (key,) in self._rows(statement, content_keys, model_id, EMBEDDING)}

    def vectors(self, content_keys: Iterable[bytes], model_id: str, kind: str = EMBEDDING) -> dict[bytes, Vector]:
        """The vectors of recordings by content key; those without one are left out."""
        statement = "SELECT content_key, data FROM vector WHERE model_id = ? AND kind = ? AND content_key IN"
        with self._view() as view, self._damage():
            width = known_model(view.driver, model_id).widths().get(kind, 0)
            return {key: decode(data, width) for key, data in self._rows(statement, content_keys, model_id, kind)}

    def gates(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, dict[str, float]]:
        """The weights of the facets in recordings' embeddings, by content key and modality."""
        statement = (
            "SELECT content_key, kind, gate FROM vector WHERE model_id = ? AND gate IS NOT NULL AND content_key IN"
        )
        found: dict[bytes, dict[str, float]] = {}
        for key, kind, gate in self._rows(statement, content_keys, model_id):
            found.setdefault(key, {})[kind] = gate
        return found

    def windows(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, Windows]:
        """The embeddings of recordings' windows in order of position, by content key."""
        statement = "SELECT content_key, position, start, data FROM window WHERE model_id = ? AND content_key IN"
        found: dict[bytes, tuple[list[float], list[Vector]]] = {}
        with self._view() as view, self._damage():
            width = known_model(view.driver, model_id).dimensions
            for key, _, start, data in sorted(self._rows(statement, content_keys, model_id), key=itemgetter(0, 1)):
                starts, vectors = found.setdefault(key, ([], []))
                starts.append(start)
                vectors.append(decode(data, width))
        return {key: Windows(tuple(starts), np.stack(vectors)) for key, (starts, vectors) in found.items()}

    def content_keys(self, vector_ids: Iterable[int]) -> dict[int, bytes]:
        """The recordings that vectors are of, by vector id; ids that are gone are left out."""
        return dict(self._rows("SELECT id, content_key FROM vector WHERE id IN", map(int, vector_ids)))

    def vector_count(self, model_id: str, kind: str = EMBEDDING) -> int:
        """How many vectors of that kind the model has."""
        with self._view() as view:
            if kind == EMBEDDING:
                return _count(view, model_id, kind)
            return int(view.driver.execute(FACET_COUNT, (kind, model_id)).fetchone()[0])

    def strangers(self, library: int, model_id: str) -> list[int]:
        """The ids of embeddings that are of no track of a library: orphans, and those of other libraries alone."""
        with self._view() as view:
            [known] = view.driver.execute(LINKED_COUNT, (library,)).fetchone()
            # To compare keys takes ten times as long as to count them.
            if known == _count(view, model_id, EMBEDDING):
                return []
            return [id_ for (id_,) in view.driver.execute(STRANGERS, (model_id, EMBEDDING, library))]

    def matrix(self, model_id: str, kind: str = EMBEDDING) -> tuple[Ids, Matrix]:
        """All vectors of a kind: ids in ascending order, shape (n,), and vectors, shape (n, width).

        Facets come under the ids of the recordings' embeddings.
        """
        with self._view() as view:
            return self._matrix(view, model_id, kind, since=-1)

    def changes(self, model_id: str, since_generation: int, kind: str = EMBEDDING) -> Changes:
        """The embeddings, or facets under their ids, that came, were replaced or went after a generation."""
        statement = "SELECT vector_id FROM removed WHERE model_id = ? AND generation > ? ORDER BY vector_id"
        with self._view() as view:
            ids, vectors = self._matrix(view, model_id, kind, since_generation)
            removed = [id_ for (id_,) in view.driver.execute(statement, (model_id, since_generation))]
            return Changes(view.generation, ids, vectors, np.array(removed, np.int64))

    def orphans(self) -> set[bytes]:
        """Content keys of recordings that are in no library any more."""
        with self._view() as view:
            return orphans(view.driver)

    def _matrix(self, view: View, model_id: str, kind: str, since: int) -> tuple[Ids, Matrix]:
        model = known_model(view.driver, model_id)
        if kind not in model.widths():
            raise ValueError(f"The model {model.name} has no {kind!r}; it has {', '.join(model.widths())}.")
        count = _count(view, model_id, kind, since)
        ids = np.empty(count, np.int64)
        vectors = np.empty((count, model.widths()[kind]), np.float32)
        owner = "embedding" if kind == EMBEDDING else "facet"
        # The order of the index. SQLite would copy all vectors to sort them by id alone.
        statement = f"SELECT embedding.id, {owner}.data FROM {_rows_of(kind)} ORDER BY {owner}.generation, {owner}.id"  # noqa: S608 - constants
        filled = 0
        cursor = view.driver.execute(statement, (model_id, kind, since))
        while rows := cursor.fetchmany(ROWS_AT_A_TIME):
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
        """Say of values that are no vectors what to do about them."""
        try:
            yield
        except ValueError as error:
            raise StoreError(
                f"{printable(self.path)} holds damaged vectors ({error}); run `beet resonance check --repair`."
            ) from error


def embedding_ids(driver: sqlite3.Connection, model_id: str) -> dict[bytes, int]:
    """The ids of all embeddings of a model, by the recordings that they are of."""
    statement = f"SELECT content_key, id FROM vector WHERE model_id = ? AND kind = '{EMBEDDING}' AND content_key >= x''"  # noqa: S608 - a constant
    return dict(driver.execute(statement, (model_id,)).fetchall())


def orphans(driver: sqlite3.Connection) -> set[bytes]:
    """Content keys of recordings that are in no library any more."""
    alone = (
        f"SELECT content_key FROM {table} WHERE content_key NOT IN (SELECT content_key FROM track)"  # noqa: S608 - a constant
        for table in CONTENT_TABLES
    )
    return {key for (key,) in driver.execute(" UNION ".join(alone))}


def _rows_of(kind: str) -> str:
    return EMBEDDINGS if kind == EMBEDDING else FACETS


def _count(view: View, model_id: str, kind: str, since: int = -1) -> int:
    statement = f"SELECT count(*) FROM {_rows_of(kind)}"  # noqa: S608 - a constant
    return int(view.driver.execute(statement, (model_id, kind, since)).fetchone()[0])
