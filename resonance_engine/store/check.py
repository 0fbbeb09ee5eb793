"""Find what is wrong in a store, and mend it by dropping what can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, delete, func, select

from resonance_engine.errors import printable
from resonance_engine.store.codec import STORED_TOLERANCE, decode, flaw, tag_flaw
from resonance_engine.store.database import Database, Transaction
from resonance_engine.store.models import TagTable, TrackTable, VectorTable, WindowTable
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
                f"The {kind} of recording {key.hex()} {reason}." for key, kind, reason in _flaws(transaction, model)
            ]
            problems += [
                f"The tags of recording {key.hex()} {reason}." for key, reason in _tag_flaws(transaction, model)
            ]
            pending = transaction.connection.scalars(_pending(model_id)).one()
            if pending and not partial:
                problems.append(f"{pending} linked tracks have no embedding by the model {model.name} yet.")
            return problems

    def repair(self, model_id: str) -> list[str]:
        """Drop damaged vectors and tags, so that their recordings are embedded again, and say what was done.

        What is left, if anything, `check` tells.
        """
        done = []
        with self._transaction(writes=True) as transaction:
            model = known_model(transaction.driver, model_id)
            if _unsound(transaction):
                transaction.connection.exec_driver_sql("REINDEX")
                done.append(f"The indexes of {printable(self.path)} were made anew.")
            untold = sorted({key for key, _ in _tag_flaws(transaction, model)})
            for chunk in chunks(untold):
                transaction.connection.execute(
                    delete(TagTable).where(TagTable.model_id == model_id, TagTable.content_key.in_(chunk))
                )
            if untold:
                done.append(f"The damaged tags of {len(untold)} recordings were dropped; analyse them again.")
            damaged = sorted({key for key, _, _ in _flaws(transaction, model)})
            for chunk in chunks(damaged):
                bury(transaction, and_(VectorTable.model_id == model_id, VectorTable.content_key.in_(chunk)))
                transaction.connection.execute(
                    delete(WindowTable).where(WindowTable.model_id == model_id, WindowTable.content_key.in_(chunk))
                )
            if damaged:
                done.append(f"The damaged vectors of {len(damaged)} recordings were dropped; analyse them again.")
        return done


def _unsound(transaction: Transaction) -> list[str]:
    lines = transaction.connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    dangling = transaction.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [line for line in lines if line != SOUND] + [
        f"row {row[1]} of table {row[0]} refers to a missing {row[2]}" for row in dangling
    ]


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


def _stored_flaw(data: bytes, width: int) -> str | None:
    if len(data) != 2 * width:
        return f"should take {2 * width} bytes and takes {len(data)}"
    return flaw(decode(data), width, STORED_TOLERANCE)


def _streamed(transaction: Transaction, query: Select[*tuple[Any, ...]]) -> Iterable[Any]:
    return transaction.connection.execute(query.execution_options(yield_per=ROWS_AT_A_TIME))


def _pending(model_id: str) -> Select[int]:
    embedded = select(VectorTable.content_key).where(VectorTable.model_id == model_id, VectorTable.kind == EMBEDDING)
    return select(func.count()).where(TrackTable.content_key.not_in(embedded))
