"""Recordings of which a part is missing: a facet, windows, what is said of them in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.store.check import drop_analyses, drop_recordings
from resonance_engine.store.database import Database
from resonance_engine.store.reading.models import known_model
from resonance_engine.store.records import EMBEDDING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from resonance_engine.store.records import Model

EMBEDDED = f"SELECT content_key FROM vector WHERE model_id = ? AND kind = '{EMBEDDING}'"  # noqa: S608 - a constant


class Completeness(Database):
    """Verbs for recordings that were analysed and of which not everything is there.

    What a model says of a recording is written in one transaction: a part that lacks was lost. Tags aside, which older
    versions did not keep; see `TagReading.without_tags`.
    """

    def lacking(self, model_id: str) -> dict[bytes, str]:
        """What lacks of recordings that a model has an embedding of, by content key."""
        with self._transaction() as transaction:
            model = known_model(transaction.driver, model_id)
            found: dict[bytes, list[str]] = {}
            for key, part in _lacking(transaction.driver, model):
                found.setdefault(key, []).append(part)
            return {key: ", ".join(parts) for key, parts in found.items()}

    def drop_incomplete(self, model_id: str) -> int:
        """Drop what a model said of the recordings that `lacking` names, so that it listens to them again."""
        with self._transaction(writes=True) as transaction:
            model = known_model(transaction.driver, model_id)
            keys = sorted({key for key, _ in _lacking(transaction.driver, model)})
            drop_recordings(transaction, model_id, keys)
            drop_analyses(transaction)
            return len(keys)


def _lacking(driver: sqlite3.Connection, model: Model) -> Iterator[tuple[bytes, str]]:
    for kind in model.modalities:
        there = "SELECT content_key FROM vector WHERE model_id = ? AND kind = ?"
        statement = f"{EMBEDDED} AND content_key NOT IN ({there})"
        for (key,) in driver.execute(statement, (model.id, model.id, kind)).fetchall():
            yield key, f"the {kind}"
    # Positions are counted from 0: the last one tells how many there were.
    whole = "SELECT content_key FROM window WHERE model_id = ? GROUP BY content_key HAVING count(*) > max(position)"
    for (key,) in driver.execute(f"{EMBEDDED} AND content_key NOT IN ({whole})", (model.id, model.id)).fetchall():
        yield key, "windows"
    said = "SELECT content_key FROM analysis"
    for (key,) in driver.execute(f"{EMBEDDED} AND content_key NOT IN ({said})", (model.id,)).fetchall():
        yield key, "the analysis"
