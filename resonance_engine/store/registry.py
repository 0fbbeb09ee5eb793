"""The models whose vectors a store holds."""

from __future__ import annotations

import json
import re

from sqlalchemy import delete, insert, select, update

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.database import Database, Transaction
from resonance_engine.store.models import ModelTable, VectorTable
from resonance_engine.store.records import EMBEDDING, Model
from resonance_engine.store.tombstones import bury


class Models(Database):
    """Verbs on models; at most one is in use at a time, others may be on their way in or out."""

    def register(self, model: Model) -> None:
        """Let the store take vectors of a model; does nothing when it already does.

        To take it into use, `activate` it. Raises StoreError when another model is known by the same id.
        """
        if not re.fullmatch(r"[\w.-]{1,64}", model.id, re.ASCII):
            raise ValueError(
                f"A model id is up to 64 letters, digits, dots and dashes, for files bear it: {model.id!r}."
            )
        if EMBEDDING in model.modalities:
            raise ValueError(f"A facet can't be named {EMBEDDING!r}; that is the vector made of all facets.")
        with self._transaction(writes=True) as transaction:
            known = next((m for m in models(transaction) if m.id == model.id), None)
            if known is None:
                values = {
                    "id": model.id,
                    "name": model.name,
                    "version": model.version,
                    "dimensions": model.dimensions,
                    "modalities": json.dumps(dict(model.modalities)),
                    "active": False,
                }
                transaction.connection.execute(insert(ModelTable), values)
            elif known.widths() != model.widths():
                raise StoreError(
                    f"{printable(self.path)} holds vectors of widths {known.widths()} for the model id "
                    f"{model.id}, and this model makes {model.widths()}; export the model again, so that it "
                    "gets an id of its own."
                )

    def models(self) -> list[Model]:
        """All models that the store knows, by name."""
        with self._transaction() as transaction:
            return models(transaction)

    def active_model(self) -> Model | None:
        """The model in use, if any is."""
        return next((model for model in self.models() if model.active), None)

    def activate(self, model_id: str) -> None:
        """Take a model into use instead of the one that was."""
        with self._transaction(writes=True) as transaction:
            known_model(transaction, model_id)
            off = update(ModelTable).where(ModelTable.id != model_id).values(active=False)
            on = update(ModelTable).where(ModelTable.id == model_id).values(active=True)
            transaction.connection.execute(off)
            transaction.connection.execute(on)

    def forget_model(self, model_id: str) -> None:
        """Drop a model and all vectors that it made."""
        with self._transaction(writes=True) as transaction:
            bury(transaction, VectorTable.model_id == model_id)
            transaction.connection.execute(delete(ModelTable).where(ModelTable.id == model_id))


def models(transaction: Transaction) -> list[Model]:
    rows = transaction.connection.execute(
        select(
            ModelTable.id,
            ModelTable.name,
            ModelTable.version,
            ModelTable.dimensions,
            ModelTable.modalities,
            ModelTable.active,
        ).order_by(ModelTable.name, ModelTable.id)
    )
    return [
        Model(id_, name, version, dimensions, json.loads(modalities), active)
        for id_, name, version, dimensions, modalities, active in rows
    ]


def known_model(transaction: Transaction, model_id: str) -> Model:
    """The model of that id, or a StoreError."""
    known = models(transaction)
    for model in known:
        if model.id == model_id:
            return model
    names = ", ".join(model.id for model in known) or "none"
    raise StoreError(f"The store knows no model {model_id}; it knows {names}. Register the model first.")
