"""Attributes of recordings (tempo, key, energy, brightness): table `analysis`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.store.errors import read_json
from resonance_engine.store.records import Analysis
from resonance_engine.store.tags import embedding_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resonance_engine.store.database import Database
    from resonance_engine.store.records import Ids


@dataclass(frozen=True)
class AnalysisTable:
    """Analyses by content key, whichever model embeds the recording."""

    database: Database

    def get(self, content_keys: Iterable[bytes]) -> dict[bytes, Analysis]:
        """Return the analyses of recordings, by content key."""
        statement = "SELECT content_key, extractor_version, attributes FROM analysis WHERE content_key IN"
        with self.database.read() as transaction:
            return {
                key: Analysis(version, read_json(attributes, dict))
                for key, version, attributes in transaction.rows_in(statement, content_keys)
            }

    def attributes(self, model_id: str, names: Sequence[str]) -> tuple[Ids, dict[str, list[Any]]]:
        """Return some attributes of all recordings: ids of a model's embeddings, ascending, (n,), and n values a name.

        A value that is not known is None; recordings without an analysis are left out.
        """
        values = "".join(", json_extract(attributes, ?)" for _ in names)
        paths = [f'$."{name}"' for name in names]
        with self.database.read() as transaction:
            rows = transaction.rows(f"SELECT content_key{values} FROM analysis", *paths)  # noqa: S608 - marks
            ids, order = embedding_order(transaction, model_id, [key for key, *_ in rows])
        return ids, {name: [rows[row][place] for row in order.tolist()] for place, name in enumerate(names, start=1)}

    def put(self, content_key: bytes, extractor_version: str, attributes: Mapping[str, Any]) -> None:
        """Store the analysis of a recording instead of an earlier one; attributes are JSON values."""
        text = json.dumps(dict(attributes), allow_nan=False)
        row = {"content_key": content_key, "extractor_version": extractor_version, "attributes": text}
        with self.database.write() as transaction:
            transaction.upsert("analysis", [row])
