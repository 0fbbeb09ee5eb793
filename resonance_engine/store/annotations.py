"""Attributes (tempo, key, energy, brightness) and tags of recordings: tables `analysis` and `tag`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.errors import StoreError
from resonance_engine.store.models import select_model
from resonance_engine.store.records import EMBEDDING, FLOAT16, Analysis, Ids, Matrix, decode_rows
from resonance_engine.store.snapshot import read_batches
from resonance_engine.store.sqlite_file import read_json, select_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resonance_engine.store.database import Database
    from resonance_engine.store.models import Model
    from resonance_engine.store.records import Embedding
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.writer import WriteTransaction

SAMPLE = 1_000
BLOCK = 4_096  # rows of tags that are decoded at once, where only some of their columns are kept

HAS_TAGS = "EXISTS (SELECT 1 FROM tag WHERE tag.content_key = vector.content_key AND tag.model_id = vector.model_id)"
IS_LINKED = "EXISTS (SELECT 1 FROM track WHERE track.content_key = vector.content_key)"


@dataclass(frozen=True)
class AnalysisTable:
    """Analyses by content key, whichever model embeds the recording."""

    database: Database

    def get(self, content_keys: Iterable[bytes]) -> dict[bytes, Analysis]:
        """Return the analyses of recordings, by content key."""
        statement = "SELECT content_key, extractor_version, attributes FROM analysis WHERE content_key IN"
        with self.database.read() as snapshot:
            rows = select_in(snapshot, statement, content_keys)
            return {key: Analysis(version, read_json(attributes, dict)) for key, version, attributes in rows}

    def attributes(self, model_id: str, names: Sequence[str]) -> tuple[Ids, dict[str, list[Any]]]:
        """Return some attributes of all recordings: ids of a model's embeddings, ascending, (n,), and n values a name.

        A value that is not known is None; recordings without an analysis are left out.
        """
        values = "".join(", json_extract(attributes, ?)" for _ in names)
        paths = [f'$."{name}"' for name in names]
        with self.database.read() as snapshot:
            rows = snapshot.execute(f"SELECT content_key{values} FROM analysis", paths).fetchall()  # noqa: S608 - marks
            ids, order = _embedding_order(snapshot, model_id, [key for key, *_ in rows])
        return ids, {name: [rows[row][place] for row in order.tolist()] for place, name in enumerate(names, start=1)}

    def put(self, content_key: bytes, extractor_version: str, attributes: Mapping[str, Any]) -> None:
        """Store the analysis of a recording instead of an earlier one; attributes are JSON values."""
        text = json.dumps(dict(attributes), allow_nan=False)
        row = {"content_key": content_key, "extractor_version": extractor_version, "attributes": text}
        with self.database.write() as transaction:
            transaction.upsert("analysis", [row])


@dataclass(frozen=True)
class TagTable:
    """Tags by content key and model, written with the embedding by `VectorTable.put`."""

    database: Database

    def get(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, dict[str, float]]:
        """Return the probabilities of a model's tags, 0 to 1, by content key and name, where there are any."""
        statement = "SELECT content_key, data FROM tag WHERE model_id = ? AND content_key IN"
        with self.database.read() as snapshot:
            names = select_model(snapshot, model_id).tags
            rows = select_in(snapshot, statement, content_keys, (model_id,))
        probabilities = self._probabilities([data for _, data in rows], len(names)).tolist()
        return {key: dict(zip(names, row, strict=True)) for (key, _), row in zip(rows, probabilities, strict=True)}

    def select(self, content_keys: Iterable[bytes], model_id: str, names: Sequence[str]) -> tuple[list[bytes], Matrix]:
        """Return some of a model's tags by recording: the content keys (n,) that have any, and (n, names).

        Rows are decoded in blocks, so memory grows with the columns that are needed and not with the model's tags.
        Raises ValueError for a name that the model lacks.
        """
        keys: list[bytes] = []
        blocks = [np.empty((0, len(names)), np.float32)]
        rest = iter(content_keys)
        statement = "SELECT content_key, data FROM tag WHERE model_id = ? AND content_key IN"
        with self.database.read() as snapshot:
            tags = select_model(snapshot, model_id).tags
            while chunk := list(islice(rest, BLOCK)):
                rows = select_in(snapshot, statement, chunk, (model_id,))
                keys += [key for key, _ in rows]
                blocks.append(self._columns([data for _, data in rows], tags, names))
        return keys, np.concatenate(blocks)

    def matrix(self, model_id: str, names: Sequence[str] | None = None) -> tuple[Ids, Matrix]:
        """Return the tags of all recordings: ids of their embeddings, ascending, (n,), and probabilities (n, names).

        The columns are in the order of `names`, or else of the model's `tags`. Recordings without tags are left out.
        Raises ValueError for a name that the model lacks.
        """
        keys: list[bytes] = []
        with self.database.read() as snapshot:
            tags = select_model(snapshot, model_id).tags
            chosen = tags if names is None else names
            blocks = [np.empty((0, len(chosen)), np.float32)]
            statement = "SELECT content_key, data FROM tag WHERE model_id = ?"
            for rows in read_batches(snapshot, statement, (model_id,), BLOCK):
                keys += [key for key, _ in rows]
                blocks.append(self._columns([data for _, data in rows], tags, chosen))
            ids, order = _embedding_order(snapshot, model_id, keys)
        return ids, np.concatenate(blocks)[order]

    def sample(self, model_id: str, count: int = SAMPLE) -> Matrix:
        """Return the tags of up to `count` recordings, (n, tags): those of the lowest content keys."""
        statement = "SELECT data FROM tag WHERE model_id = ? ORDER BY content_key LIMIT ?"
        with self.database.read() as snapshot:
            names = select_model(snapshot, model_id).tags
            rows = snapshot.execute(statement, (model_id, count)).fetchall()
        return self._probabilities([data for (data,) in rows], len(names))

    def count_missing(self, model_id: str) -> int:
        """Count the libraries' recordings with an embedding and no tags yet; 0 for a model that gives none."""
        statement = f"SELECT count(*) FROM vector WHERE model_id = ? AND kind = ? AND {IS_LINKED} AND NOT {HAS_TAGS}"  # noqa: S608 - constants
        with self.database.read() as snapshot:
            if not select_model(snapshot, model_id).tags:
                return 0
            return int(snapshot.execute(statement, (model_id, EMBEDDING)).fetchone()[0])

    def _columns(self, rows: Sequence[bytes], tags: Sequence[str], names: Sequence[str]) -> Matrix:
        """Decode stored probabilities of `tags`, and return those of `names`, (len(rows), len(names))."""
        places = {name: place for place, name in enumerate(tags)}
        if unknown := [name for name in names if name not in places]:
            raise ValueError(f"The model has no tag {unknown[0]!r}.")
        return self._probabilities(rows, len(tags))[:, [places[name] for name in names]]

    def _probabilities(self, rows: Sequence[bytes], count: int) -> Matrix:
        """Decode stored probabilities of `count` tags, shape (len(rows), count)."""
        probabilities = np.empty((len(rows), count), np.float32)
        try:
            decode_rows(rows, probabilities)
        except ValueError as error:
            raise StoreError(
                f"{self.database.name} holds damaged tags ({error}); run `beet resonance check --repair`."
            ) from error
        return probabilities


def put_tags(transaction: WriteTransaction, model: Model, embeddings: Mapping[bytes, Embedding]) -> None:
    """Store the tags of verified embeddings, by content key."""
    tagged = {key: embedding.tags for key, embedding in embeddings.items() if embedding.tags}
    values = np.array([[tags[name] for name in model.tags] for tags in tagged.values()], np.float32).astype(FLOAT16)
    rows = [
        {"content_key": key, "model_id": model.id, "data": row.tobytes()}
        for key, row in zip(tagged, values, strict=True)
    ]
    transaction.upsert("tag", rows)


def _embedding_order(driver: Snapshot, model_id: str, keys: Sequence[bytes]) -> tuple[Ids, Ids]:
    """Return the ids of the recordings' embeddings, ascending, and the places of those recordings among the keys."""
    statement = f"SELECT content_key, id FROM vector WHERE model_id = ? AND kind = '{EMBEDDING}' AND content_key >= x''"  # noqa: S608 - a constant
    owners = dict(driver.execute(statement, (model_id,)).fetchall())
    ids = np.fromiter((owners.get(key, -1) for key in keys), np.int64, len(keys))
    order = np.argsort(ids)[np.count_nonzero(ids < 0) :]
    return ids[order], order
