"""The probabilities of a model's tags in recordings: table `tag`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.codec import decode_rows, encode
from resonance_engine.store.models import select_model
from resonance_engine.store.records import EMBEDDING, Ids, Matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resonance_engine.store.database import Database
    from resonance_engine.store.records import Embedding, Model
    from resonance_engine.store.transaction import Transaction
    from resonance_engine.store.writer import WriteTransaction

SAMPLE = 1_000

HAS_TAGS = "EXISTS (SELECT 1 FROM tag WHERE tag.content_key = vector.content_key AND tag.model_id = vector.model_id)"
IS_LINKED = "EXISTS (SELECT 1 FROM track WHERE track.content_key = vector.content_key)"


@dataclass(frozen=True)
class TagTable:
    """Tags by content key and model, written with the embedding by `VectorTable.put`."""

    database: Database

    def get(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, dict[str, float]]:
        """Return the probabilities of a model's tags, 0 to 1, by content key and name, where there are any."""
        statement = "SELECT content_key, data FROM tag WHERE model_id = ? AND content_key IN"
        with self.database.read() as transaction:
            names = select_model(transaction, model_id).tags
            rows = transaction.rows_in(statement, content_keys, model_id)
        probabilities = self._probabilities([data for _, data in rows], len(names)).tolist()
        return {key: dict(zip(names, row, strict=True)) for (key, _), row in zip(rows, probabilities, strict=True)}

    def matrix(self, model_id: str) -> tuple[Ids, Matrix]:
        """Return the tags of all recordings: ids of their embeddings, ascending, (n,), and probabilities (n, tags).

        The columns are in the order of the model's `tags`. Recordings without tags are left out.
        """
        with self.database.read() as transaction:
            names = select_model(transaction, model_id).tags
            rows = transaction.rows("SELECT content_key, data FROM tag WHERE model_id = ?", model_id)
            ids, order = embedding_order(transaction, model_id, [key for key, _ in rows])
        return ids, self._probabilities([data for _, data in rows], len(names))[order]

    def sample(self, model_id: str, count: int = SAMPLE) -> Matrix:
        """Return the tags of up to `count` recordings, (n, tags): those of the lowest content keys."""
        statement = "SELECT data FROM tag WHERE model_id = ? ORDER BY content_key LIMIT ?"
        with self.database.read() as transaction:
            names = select_model(transaction, model_id).tags
            rows = transaction.rows(statement, model_id, count)
        return self._probabilities([data for (data,) in rows], len(names))

    def count_missing(self, model_id: str) -> int:
        """Count the libraries' recordings with an embedding and no tags yet; 0 for a model that gives none."""
        statement = f"SELECT count(*) FROM vector WHERE model_id = ? AND kind = ? AND {IS_LINKED} AND NOT {HAS_TAGS}"  # noqa: S608 - constants
        with self.database.read() as transaction:
            if not select_model(transaction, model_id).tags:
                return 0
            return int(transaction.value(statement, model_id, EMBEDDING))

    def _probabilities(self, rows: Sequence[bytes], count: int) -> Matrix:
        """Decode stored probabilities of `count` tags, shape (len(rows), count)."""
        probabilities = np.empty((len(rows), count), np.float32)
        try:
            decode_rows(rows, probabilities)
        except ValueError as error:
            path = printable(self.database.path)
            raise StoreError(f"{path} holds damaged tags ({error}); run `beet resonance check --repair`.") from error
        return probabilities


def put_tags(transaction: WriteTransaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    """Store the tags of verified embeddings, by content key."""
    rows = [
        {"content_key": key, "model_id": model.id, "data": encode(np.array([tags[name] for name in model.tags], "f4"))}
        for key, tags in ((key, embedding.tags) for key, embedding in embeddings.items())
        if tags
    ]
    transaction.upsert("tag", rows)


def embedding_order(transaction: Transaction, model_id: str, keys: Sequence[bytes]) -> tuple[Ids, Ids]:
    """Return the ids of the recordings' embeddings, ascending, and the places of those recordings among the keys."""
    statement = f"SELECT content_key, id FROM vector WHERE model_id = ? AND kind = '{EMBEDDING}' AND content_key >= x''"  # noqa: S608 - a constant
    owners = dict(transaction.rows(statement, model_id))
    ids = np.fromiter((owners.get(key, -1) for key in keys), np.int64, len(keys))
    order = np.argsort(ids)[np.count_nonzero(ids < 0) :]
    return ids[order], order
