"""Analyses of recordings, files that failed, and single facts about the store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.store.database import Database, remember
from resonance_engine.store.models import AnalysisTable, FailureTable
from resonance_engine.store.reading.view import chunks

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notes(Database):
    """Verbs that note something beside the vectors."""

    def put_analysis(self, content_key: bytes, extractor_version: str, attributes: Mapping[str, Any]) -> None:
        """Keep what is said of a recording, instead of what was said before; attributes are JSON values."""
        row = insert(AnalysisTable).values(
            content_key=content_key,
            extractor_version=extractor_version,
            attributes=json.dumps(dict(attributes), allow_nan=False),
        )
        given = {"extractor_version": row.excluded.extractor_version, "attributes": row.excluded.attributes}
        with self._transaction(writes=True) as transaction:
            transaction.connection.execute(row.on_conflict_do_update(index_elements=["content_key"], set_=given))

    def fail(self, library: int, path: bytes, size: int, mtime_ns: int, reason: str) -> None:
        """Note that a file can't be analysed; tries count up while the file stays the same."""
        row = insert(FailureTable).values(
            library_id=library,
            path=path,
            size=size,
            mtime_ns=mtime_ns,
            reason=reason,
            tries=1,
            last_tried=time.time(),
        )
        given = row.excluded
        same = and_(FailureTable.size == given.size, FailureTable.mtime_ns == given.mtime_ns)
        changed = {name: given[name] for name in ("size", "mtime_ns", "reason", "last_tried")}
        upsert = row.on_conflict_do_update(
            index_elements=["library_id", "path"],
            set_={**changed, "tries": case((same, FailureTable.tries + 1), else_=1)},
        )
        with self._transaction(writes=True) as transaction:
            transaction.connection.execute(upsert)

    def clear_failure(self, library: int, *paths: bytes) -> None:
        """Forget that files failed, because they were analysed or are gone."""
        query = delete(FailureTable).where(FailureTable.library_id == library)
        with self._transaction(writes=True) as transaction:
            for chunk in chunks(paths):
                transaction.connection.execute(query.where(FailureTable.path.in_(chunk)))

    def set_state(self, key: str, value: Any) -> None:
        """Note a fact about the store; the value is one that JSON takes."""
        with self._transaction(writes=True) as transaction:
            remember(transaction.connection, key, value)
