"""Mend what the check finds in a store, by dropping what can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete

from resonance_engine.errors import printable
from resonance_engine.store.damage import DamageError
from resonance_engine.store.database import Database, Transaction
from resonance_engine.store.models import AnalysisTable, StateTable, TagTable, VectorTable, WindowTable
from resonance_engine.store.reading.check import (
    dangling,
    flaws,
    lacking,
    said_flaws,
    tag_flaws,
    unreadable_notes,
    unsound,
)
from resonance_engine.store.reading.models import known_model
from resonance_engine.store.reading.view import chunks
from resonance_engine.store.tombstones import delete_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable


class Repair(Database):
    """Verbs that mend the whole store; what is wrong `CheckReading` tells."""

    def repair(self, model_id: str) -> list[str]:
        """Drop damaged vectors, tags, analyses and notes, so that they are made again, and say what was done.

        What is left, if anything, `check` tells. Raises StoreError where the file itself is damaged beyond its indexes;
        `salvage` takes what can be read of such a file into a new one.
        """
        done = []
        with self._transaction(writes=True) as transaction:
            driver = transaction.driver
            model = known_model(driver, model_id)
            if unsound(driver):
                transaction.connection.exec_driver_sql("REINDEX")
                if left := unsound(driver):
                    raise DamageError(f"{printable(self.path)} is damaged ({left[0]}).")
                done.append(f"The indexes of {printable(self.path)} were made anew.")
            if count := _drop_dangling(transaction):
                done.append(f"{_many(count, 'row')} that referred to nothing {_were(count)} dropped.")
            if notes := unreadable_notes(driver):
                transaction.connection.execute(delete(StateTable).where(StateTable.key.in_(notes)))
                done.append(f"{_many(len(notes), 'note')} that said nothing {_were(len(notes))} dropped.")
            untold = sorted({key for key, _ in tag_flaws(driver, model)})
            for chunk in chunks(untold):
                transaction.connection.execute(
                    delete(TagTable).where(TagTable.model_id == model_id, TagTable.content_key.in_(chunk))
                )
            if untold:
                done.append(f"The damaged tags of {_many(len(untold), 'recording')} were dropped; analyse them again.")
            damaged = sorted({key for key, _, _ in flaws(driver, model)})
            _drop_recordings(transaction, model_id, damaged)
            if damaged:
                done.append(
                    f"The damaged vectors of {_many(len(damaged), 'recording')} were dropped; analyse them again."
                )
            unsaid = _drop_analyses(transaction)
            if unsaid:
                done.append(f"The analyses of {_many(unsaid, 'recording')} were dropped.")
        return done

    def drop_incomplete(self, model_id: str) -> int:
        """Drop what a model said of the recordings that `lacking` names, so that it listens to them again."""
        with self._transaction(writes=True) as transaction:
            model = known_model(transaction.driver, model_id)
            keys = sorted({key for key, _ in lacking(transaction.driver, model)})
            _drop_recordings(transaction, model_id, keys)
            _drop_analyses(transaction)
            return len(keys)


def _drop_recordings(transaction: Transaction, model_id: str, keys: Iterable[bytes]) -> None:
    """Drop all that a model said of recordings, so that it listens to them again."""
    for chunk in chunks(keys):
        delete_vectors(transaction, and_(VectorTable.model_id == model_id, VectorTable.content_key.in_(chunk)))
        for table in (WindowTable, TagTable):
            transaction.connection.execute(
                delete(table).where(table.model_id == model_id, table.content_key.in_(chunk))
            )


def _drop_analyses(transaction: Transaction) -> int:
    """Drop the analyses that can't be read or stand for nothing, and say how many."""
    keys = [key for key, _ in said_flaws(transaction.driver)]
    for chunk in chunks(keys):
        transaction.connection.execute(delete(AnalysisTable).where(AnalysisTable.content_key.in_(chunk)))
    return len(keys)


def _drop_dangling(transaction: Transaction) -> int:
    rows = dangling(transaction.driver)
    generation = transaction.next_generation()
    for table, row, _ in rows:
        transaction.connection.exec_driver_sql(f"DELETE FROM {table} WHERE rowid = ?", (row,))  # noqa: S608 - a name of ours
    transaction.advance(generation, sum(table == VectorTable.__tablename__ for table, _, _ in rows))
    return len(rows)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
