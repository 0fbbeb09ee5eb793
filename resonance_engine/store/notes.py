"""Analyses of recordings, files that failed, and single facts about the store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, select
from sqlalchemy.dialects.sqlite import insert

from resonance_engine.store.database import Database, chunks, recalled, remember
from resonance_engine.store.models import AnalysisTable, FailureTable
from resonance_engine.store.records import Analysis, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Notes(Database):
    """Verbs on what is noted beside the vectors."""

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

    def analyses(self, content_keys: Iterable[bytes]) -> dict[bytes, Analysis]:
        """What is said of recordings, by content key."""
        query = select(AnalysisTable.content_key, AnalysisTable.extractor_version, AnalysisTable.attributes)
        return {
            key: Analysis(version, json.loads(attributes))
            for key, version, attributes in self._rows(query, AnalysisTable.content_key, content_keys)
        }

    def analysed(self, content_keys: Iterable[bytes], extractor_version: str) -> set[bytes]:
        """Those of the recordings that this version of the extractor has spoken of."""
        query = select(AnalysisTable.content_key).where(AnalysisTable.extractor_version == extractor_version)
        return {key for (key,) in self._rows(query, AnalysisTable.content_key, content_keys)}

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

    def failures(self, library: int) -> dict[bytes, Failure]:
        """The files of a library that could not be analysed, by path."""
        query = (
            select(
                FailureTable.path,
                FailureTable.size,
                FailureTable.mtime_ns,
                FailureTable.reason,
                FailureTable.tries,
                FailureTable.last_tried,
            )
            .where(FailureTable.library_id == library)
            .order_by(FailureTable.path)
        )
        with self._transaction() as transaction:
            return {row[0]: Failure(*row) for row in transaction.connection.execute(query)}

    def clear_failure(self, library: int, *paths: bytes) -> None:
        """Forget that files failed, because they were analysed or are gone."""
        query = delete(FailureTable).where(FailureTable.library_id == library)
        with self._transaction(writes=True) as transaction:
            for chunk in chunks(paths):
                transaction.connection.execute(query.where(FailureTable.path.in_(chunk)))

    def state(self, key: str) -> Any:
        """A fact noted about the store, such as "seconds_per_track"; None when it isn't known."""
        with self._transaction() as transaction:
            return recalled(transaction.connection, key)

    def set_state(self, key: str, value: Any) -> None:
        """Note a fact about the store; the value is one that JSON takes."""
        with self._transaction(writes=True) as transaction:
            remember(transaction.connection, key, value)
