"""Repair a store by deleting what can be computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.store.errors import DamageError
from resonance_engine.store.models import select_model
from resonance_engine.store.recovery.check import (
    dangling_rows,
    integrity_errors,
    invalid_analyses,
    invalid_arrays,
    invalid_passages,
    invalid_tags,
    invalid_vectors,
    missing_parts,
    unreadable_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.store.store import Store
    from resonance_engine.store.writer import WriteTransaction


def repair_store(store: Store, model_id: str) -> list[str]:
    """Delete damaged rows but those of tracks, so that they are computed again; return what was done.

    What is left, if anything, `check_store` finds. Raises StoreError where the file itself is damaged beyond its
    indexes; `salvage` takes what can be read of such a file into a new one.
    """
    done = []
    with store.write() as transaction:
        model = select_model(transaction.driver, model_id)
        if integrity_errors(transaction.driver):
            transaction.connection.exec_driver_sql("REINDEX")
            if left := integrity_errors(transaction.driver):
                raise DamageError(f"{store.name} is damaged ({left[0]}).")
            done.append(f"The indexes of {store.name} were made anew.")
        if count := _drop_dangling(transaction):
            done.append(f"{_many(count, 'row')} that referred to nothing {_were(count)} dropped.")
        if notes := unreadable_state(transaction.driver):
            transaction.delete("state", "key", notes)
            done.append(f"{_many(len(notes), 'note')} that said nothing {_were(len(notes))} dropped.")
        for table, name, invalid in (("tag", "tags", invalid_tags), ("passage", "dense windows", invalid_passages)):
            if keys := {key for key, _ in invalid(transaction.driver, model)}:
                transaction.delete(table, "content_key", keys, model_id=model_id)
                done.append(f"The damaged {name} of {_many(len(keys), 'recording')} were dropped; analyse them again.")
        if count := _drop_arrays(transaction):
            done.append(f"{_many(count, 'damaged array')} {_were(count)} dropped.")
        if keys := {key for key, _, _ in invalid_vectors(transaction.driver, model)}:
            _drop_recordings(transaction, model_id, keys)
            done.append(f"The damaged vectors of {_many(len(keys), 'recording')} were dropped; analyse them again.")
        if count := _drop_analyses(transaction):
            done.append(f"The analyses of {_many(count, 'recording')} were dropped.")
    return done


def drop_notes(store: Store) -> int:
    """Delete the notes that can't be read, which no other repair gets past; return how many."""
    with store.write() as transaction:
        return transaction.delete("state", "key", unreadable_state(transaction.driver))


def drop_incomplete(store: Store, model_id: str) -> int:
    """Delete what a model gave for `incomplete_recordings`, so that they are analysed again; return how many."""
    with store.write() as transaction:
        keys = {key for key, _ in missing_parts(transaction.driver, select_model(transaction.driver, model_id))}
        _drop_recordings(transaction, model_id, keys)
        _drop_analyses(transaction)
        return len(keys)


def _drop_recordings(transaction: WriteTransaction, model_id: str, keys: Iterable[bytes]) -> None:
    for table in ("vector", "window", "tag"):
        transaction.delete(table, "content_key", keys, model_id=model_id)


def _drop_analyses(transaction: WriteTransaction) -> int:
    return transaction.delete("analysis", "content_key", [key for key, _ in invalid_analyses(transaction.driver)])


def _drop_arrays(transaction: WriteTransaction) -> int:
    damaged = list(invalid_arrays(transaction.driver))
    return sum(transaction.delete("array", "name", [name], library_id=library) for library, name, _ in damaged)


def _drop_dangling(transaction: WriteTransaction) -> int:
    rows = dangling_rows(transaction.driver)
    generation = transaction.next_generation()
    for table, row, _ in rows:
        transaction.connection.exec_driver_sql(f"DELETE FROM {table} WHERE rowid = ?", (row,))  # noqa: S608 - a name of ours
    transaction.advance(generation, sum(table == "vector" for table, _, _ in rows))
    return len(rows)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
