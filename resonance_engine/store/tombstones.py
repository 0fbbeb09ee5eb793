"""Vectors that leave the store, and the trace they leave for indexes that still hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Integer, delete, insert, literal, select

from resonance_engine.store.models import RemovedTable, VectorTable
from resonance_engine.store.records import EMBEDDING

if TYPE_CHECKING:
    from resonance_engine.store.database import Transaction


def delete_vectors(transaction: Transaction, condition: ColumnElement[bool]) -> None:
    """Delete the vectors that meet a condition on `vector`."""
    generation = transaction.next_generation()
    gone = select(VectorTable.id, VectorTable.model_id, literal(generation, Integer)).where(
        condition, VectorTable.kind == EMBEDDING
    )
    trace = insert(RemovedTable).from_select(["vector_id", "model_id", "generation"], gone)
    transaction.connection.execute(trace)
    rows = transaction.connection.execute(delete(VectorTable).where(condition)).rowcount
    transaction.advance(generation, rows)
