"""Find what is wrong in a store, and mend it by dropping what can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, delete, func, or_, select

from resonance_engine.errors import printable
from resonance_engine.store.codec import STORED_TOLERANCE, decode, flaw, tag_flaw
from resonance_engine.store.damage import DamageError
from resonance_engine.store.database import Database, Transaction
from resonance_engine.store.models import AnalysisTable, TagTable, TrackTable, VectorTable, WindowTable
from resonance_engine.store.reading.models import known_model
from resonance_engine.store.reading.view import chunks
from resonance_engine.store.records import EMBEDDING, Model
from resonance_engine.store.tombstones import bury

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROWS_AT_A_TIME = 5_000
SOUND = "ok"


class Check(Database):
    """Verbs that examine the whole store."""

    def check(self, model_id: str, partial: bool = False) -> list[str]:
        """What is wrong with the file and with a model's vectors, a sentence each; empty when nothing is.

        `partial`: the model need not have heard every track, as long as another one is in use.
        """
        with self._transaction() as transaction:
            model = known_model(transaction.driver, model_id)
            problems = [f"{printable(self.path)}: {line}." for line in _unsound(transaction)]
            problems += [
                f"{printable(self.path)}: row {row} of table {table} refers to a missing {parent}."
                for table, row, parent in _dangling(transaction)
            ]
            problems += [
                f"The {kind} of recording {key.hex()} {reason}." for key, kind, reason in _flaws(transaction, model)
            ]
            problems += [
                f"The tags of recording {key.hex()} {reason}." for key, reason in _tag_flaws(transaction, model)
            ]
            problems += [f"The analysis of recording {key.hex()} {reason}." for key, reason in _said_flaws(transaction)]
            pending = transaction.connection.scalars(_pending(model_id)).one()
            if pending and not partial:
                problems.append(f"{pending} linked tracks have no embedding by the model {model.name} yet.")
            return problems

    def repair(self, model_id: str) -> list[str]:
        """Drop damaged vectors, tags and analyses, so that they are made again, and say what was done.

        What is left, if anything, `check` tells. Raises StoreError where the file itself is damaged beyond its indexes;
        `salvage` takes what can be read of such a file into a new one.
        """
        done = []
        with self._transaction(writes=True) as transaction:
            model = known_model(transaction.driver, model_id)
            if _unsound(transaction):
                transaction.connection.exec_driver_sql("REINDEX")
                if left := _unsound(transaction):
                    raise DamageError(f"{printable(self.path)} is damaged ({left[0]}).")
                done.append(f"The indexes of {printable(self.path)} were made anew.")
            if count := _drop_dangling(transaction):
                done.append(f"{_many(count, 'row')} that referred to nothing {_were(count)} dropped.")
            untold = sorted({key for key, _ in _tag_flaws(transaction, model)})
            for chunk in chunks(untold):
                transaction.connection.execute(
                    delete(TagTable).where(TagTable.model_id == model_id, TagTable.content_key.in_(chunk))
                )
            if untold:
                done.append(f"The damaged tags of {_many(len(untold), 'recording')} were dropped; analyse them again.")
            damaged = sorted({key for key, _, _ in _flaws(transaction, model)})
            drop_recordings(transaction, model_id, damaged)
            if damaged:
                done.append(
                    f"The damaged vectors of {_many(len(damaged), 'recording')} were dropped; analyse them again."
                )
            unsaid = drop_analyses(transaction)
            if unsaid:
                done.append(f"The analyses of {_many(unsaid, 'recording')} were dropped.")
        return done


def drop_recordings(transaction: Transaction, model_id: str, keys: Iterable[bytes]) -> None:
    """Drop all that a model said of recordings, so that it listens to them again."""
    for chunk in chunks(keys):
        bury(transaction, and_(VectorTable.model_id == model_id, VectorTable.content_key.in_(chunk)))
        for table in (WindowTable, TagTable):
            transaction.connection.execute(
                delete(table).where(table.model_id == model_id, table.content_key.in_(chunk))
            )


def drop_analyses(transaction: Transaction) -> int:
    """Drop the analyses that can't be read or stand for nothing, and say how many."""
    keys = [key for key, _ in _said_flaws(transaction)]
    for chunk in chunks(keys):
        transaction.connection.execute(delete(AnalysisTable).where(AnalysisTable.content_key.in_(chunk)))
    return len(keys)


def _unsound(transaction: Transaction) -> list[str]:
    """What SQLite finds wrong with the file itself."""
    lines = transaction.connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    return [line for line in lines if line != SOUND]


def _dangling(transaction: Transaction) -> list[tuple[str, int, str]]:
    """Table, row number and missing table of rows that refer to a row that is not there."""
    rows = transaction.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [(table, row, parent) for table, row, parent, _ in rows]


def _drop_dangling(transaction: Transaction) -> int:
    rows = _dangling(transaction)
    generation = transaction.next_generation()
    for table, row, _ in rows:
        transaction.connection.exec_driver_sql(f"DELETE FROM {table} WHERE rowid = ?", (row,))  # noqa: S608 - a name of ours
    transaction.advance(generation, sum(table == VectorTable.__tablename__ for table, _, _ in rows))
    return len(rows)


def _flaws(transaction: Transaction, model: Model) -> Iterator[tuple[bytes, str, str]]:
    """Content key, kind and flaw of each vector that the model can't have made, or that stands alone."""
    widths = model.widths()
    vectors = select(VectorTable.content_key, VectorTable.kind, VectorTable.data)
    windows = select(WindowTable.content_key, WindowTable.position, WindowTable.data)
    for key, kind, data in _streamed(transaction, vectors.where(VectorTable.model_id == model.id)):
        width = widths.get(kind)
        reason = "is of a kind that the model doesn't make" if width is None else _stored_flaw(data, width)
        if reason:
            yield key, kind, reason
    for key, position, data in _streamed(transaction, windows.where(WindowTable.model_id == model.id)):
        reason = _stored_flaw(data, model.dimensions)
        if reason:
            yield key, f"window {position}", reason
    for table, kind in ((VectorTable, "facet"), (WindowTable, "window")):
        embeddings = select(VectorTable.content_key).where(
            VectorTable.model_id == model.id, VectorTable.kind == EMBEDDING
        )
        alone = select(table.content_key).where(table.model_id == model.id, table.content_key.not_in(embeddings))
        for key in transaction.connection.scalars(alone.distinct()):
            yield key, kind, "has no embedding beside it"


def _tag_flaws(transaction: Transaction, model: Model) -> Iterator[tuple[bytes, str]]:
    """Content key and flaw of each recording's tags that the model can't have given."""
    query = select(TagTable.content_key, TagTable.data).where(TagTable.model_id == model.id)
    for key, data in _streamed(transaction, query):
        reason = tag_flaw(data, len(model.tags))
        if reason:
            yield key, reason
    embedded = select(VectorTable.content_key).where(VectorTable.model_id == model.id, VectorTable.kind == EMBEDDING)
    alone = select(TagTable.content_key).where(TagTable.model_id == model.id, TagTable.content_key.not_in(embedded))
    for key in transaction.connection.scalars(alone):
        yield key, "have no embedding beside them"


def _said_flaws(transaction: Transaction) -> Iterator[tuple[bytes, str]]:
    """Content key and flaw of each analysis that can't be read, or that stands for nothing."""
    unreadable = func.json_valid(AnalysisTable.attributes) == 0
    unneeded = and_(
        AnalysisTable.content_key.not_in(select(VectorTable.content_key)),
        AnalysisTable.content_key.not_in(select(TrackTable.content_key)),
    )
    query = select(AnalysisTable.content_key, unreadable).where(or_(unreadable, unneeded))
    for key, broken in _streamed(transaction, query):
        yield key, "can't be read" if broken else "belongs to no vector and no track"


def _stored_flaw(data: bytes, width: int) -> str | None:
    if not isinstance(data, bytes):
        return f"should be bytes and is {type(data).__name__}"
    if len(data) != 2 * width:
        return f"should take {2 * width} bytes and takes {len(data)}"
    return flaw(decode(data), width, STORED_TOLERANCE)


def _streamed(transaction: Transaction, query: Select[*tuple[Any, ...]]) -> Iterable[Any]:
    return transaction.connection.execute(query.execution_options(yield_per=ROWS_AT_A_TIME))


def _pending(model_id: str) -> Select[int]:
    embedded = select(VectorTable.content_key).where(VectorTable.model_id == model_id, VectorTable.kind == EMBEDDING)
    return select(func.count()).where(TrackTable.content_key.not_in(embedded))


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
