"""What recordings are called: the probabilities of a model's tags, and the attributes of all recordings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.codec import decode_rows
from resonance_engine.store.reading.models import known_model, models
from resonance_engine.store.reading.vectors import embedding_ids
from resonance_engine.store.reading.view import Reading
from resonance_engine.store.records import EMBEDDING, Ids, Matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SAMPLE = 1_000

# The embeddings that a model has, and what is said of the same recordings in another table.
TAGGED = "EXISTS (SELECT 1 FROM tag WHERE tag.content_key = vector.content_key AND tag.model_id = vector.model_id)"
LINKED = "EXISTS (SELECT 1 FROM track WHERE track.content_key = vector.content_key)"


class TagReading(Reading):
    """Verbs that read what recordings are called."""

    def tags(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, dict[str, float]]:
        """The probabilities of a model's tags, 0 to 1, by content key and name; recordings without are left out."""
        statement = "SELECT content_key, data FROM tag WHERE model_id = ? AND content_key IN"
        with self._view() as view:
            names = known_model(view.driver, model_id).tags
            rows = self._rows(statement, content_keys, model_id)
        probabilities = self._probabilities([data for _, data in rows], len(names))
        named = [dict(zip(names, row, strict=True)) for row in probabilities.tolist()]
        return {key: each for (key, _), each in zip(rows, named, strict=True)}

    def tag_matrix(self, model_id: str) -> tuple[Ids, Matrix]:
        """The tags of all recordings: ids of their embeddings, ascending, (n,), and probabilities (n, tags).

        The columns are in the order of the model's `tags`. Recordings that the model gave no tags are left out.
        """
        with self._view() as view:
            names = known_model(view.driver, model_id).tags
            owners = embedding_ids(view.driver, model_id)
            rows = view.driver.execute("SELECT content_key, data FROM tag WHERE model_id = ?", (model_id,)).fetchall()
        ids, order = owned([key for key, _ in rows], owners)
        return ids, self._probabilities([data for _, data in rows], len(names))[order]

    def tag_sample(self, model_id: str, count: int = SAMPLE) -> Matrix:
        """The tags of up to `count` recordings, (n, tags): those of the lowest content keys, whenever they came."""
        statement = "SELECT data FROM tag WHERE model_id = ? ORDER BY content_key LIMIT ?"
        with self._view() as view:
            names = known_model(view.driver, model_id).tags
            rows = view.driver.execute(statement, (model_id, count)).fetchall()
        return self._probabilities([data for (data,) in rows], len(names))

    def attributes(self, model_id: str, names: Sequence[str]) -> tuple[Ids, dict[str, list[Any]]]:
        """Some attributes of all recordings: ids of a model's embeddings, ascending, (n,), and n values of each name.

        A value that is not known is None; recordings that nothing is known of are left out.
        """
        values = "".join(", json_extract(attributes, ?)" for _ in names)
        paths = [f'$."{name}"' for name in names]
        with self._view() as view:
            owners = embedding_ids(view.driver, model_id)
            rows = view.driver.execute(f"SELECT content_key{values} FROM analysis", paths).fetchall()  # noqa: S608 - marks
        ids, order = owned([key for key, *_ in rows], owners)
        return ids, {name: [rows[row][place] for row in order.tolist()] for place, name in enumerate(names, start=1)}

    def heard(self, content_keys: Iterable[bytes], model_id: str) -> set[bytes]:
        """Those of the recordings that a model has said all of that it says: an embedding and, if it gives any, tags.

        The others are to be listened to, some of them again: those embedded before tags were kept have none.
        """
        statement = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ?"
        with self._view() as view:
            if any(model.tags for model in models(view.driver) if model.id == model_id):
                statement += f" AND {TAGGED}"
            return {key for (key,) in self._rows(f"{statement} AND content_key IN", content_keys, model_id, EMBEDDING)}

    def without_tags(self, model_id: str) -> int:
        """How many recordings of the libraries have an embedding and no tags yet; 0 for a model that gives none."""
        statement = f"SELECT count(*) FROM vector WHERE model_id = ? AND kind = ? AND {LINKED} AND NOT {TAGGED}"  # noqa: S608 - constants
        with self._view() as view:
            if not known_model(view.driver, model_id).tags:
                return 0
            return int(view.driver.execute(statement, (model_id, EMBEDDING)).fetchone()[0])

    def _probabilities(self, rows: Sequence[bytes], count: int) -> Matrix:
        """Stored probabilities of `count` tags, shape (len(rows), count)."""
        probabilities = np.empty((len(rows), count), np.float32)
        try:
            decode_rows(rows, probabilities)
        except ValueError as error:
            raise StoreError(
                f"{printable(self.path)} holds damaged tags ({error}); run `beet resonance check --repair`."
            ) from error
        return probabilities


def owned(keys: Sequence[bytes], owners: Mapping[bytes, int]) -> tuple[Ids, Ids]:
    """The ids of those recordings that have one, ascending, and their places among the keys."""
    ids = np.fromiter((owners.get(key, -1) for key in keys), np.int64, len(keys))
    order = np.argsort(ids)[np.count_nonzero(ids < 0) :]
    return ids[order], order
