"""The models whose vectors a store holds."""

from __future__ import annotations

import json
import re

from sqlalchemy import and_, delete, insert, select, update

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.database import Database
from resonance_engine.store.models import AnalysisTable, ModelTable, TrackTable, VectorTable
from resonance_engine.store.reading.models import known_model, models
from resonance_engine.store.records import EMBEDDING, Model
from resonance_engine.store.tombstones import delete_vectors


class Models(Database):
    """Verbs that change models; at most one is in use at a time, others may be on their way in or out."""

    def register(self, model: Model) -> None:
        """Let the store take vectors of a model; does nothing when it already does.

        To take it into use, `activate` it. A model that was known without the names of its tags gets them. Raises
        StoreError when another model is known by the same id.
        """
        if not re.fullmatch(r"[\w.-]{1,64}", model.id, re.ASCII):
            raise ValueError(
                f"A model id is up to 64 letters, digits, dots and dashes, for files bear it: {model.id!r}."
            )
        if EMBEDDING in model.modalities:
            raise ValueError(f"A facet can't be named {EMBEDDING!r}; that is the vector made of all facets.")
        with self._transaction(writes=True) as transaction:
            known = next((m for m in models(transaction.driver) if m.id == model.id), None)
            if known is None:
                values = {
                    "id": model.id,
                    "name": model.name,
                    "version": model.version,
                    "dimensions": model.dimensions,
                    "modalities": json.dumps(dict(model.modalities)),
                    "active": False,
                    "tags": json.dumps(model.tags),
                }
                transaction.connection.execute(insert(ModelTable), values)
            elif known.widths() != model.widths():
                raise StoreError(
                    f"{printable(self.path)} holds vectors of widths {known.widths()} for the model id "
                    f"{model.id}, and this model makes {model.widths()}; export the model again, so that it "
                    "gets an id of its own."
                )
            elif known.tags and model.tags and known.tags != model.tags:
                raise StoreError(
                    f"{printable(self.path)} knows other tags for the model id {model.id} than this model gives; "
                    "export the model again, so that it gets an id of its own."
                )
            elif model.tags and not known.tags:
                named = update(ModelTable).where(ModelTable.id == model.id).values(tags=json.dumps(model.tags))
                transaction.connection.execute(named)

    def activate(self, model_id: str) -> None:
        """Take a model into use instead of the one that was."""
        with self._transaction(writes=True) as transaction:
            known_model(transaction.driver, model_id)
            off = update(ModelTable).where(ModelTable.id != model_id).values(active=False)
            on = update(ModelTable).where(ModelTable.id == model_id).values(active=True)
            transaction.connection.execute(off)
            transaction.connection.execute(on)

    def forget_model(self, model_id: str) -> None:
        """Drop a model and all vectors that it made, and what was said of recordings that nobody knows then."""
        with self._transaction(writes=True) as transaction:
            delete_vectors(transaction, VectorTable.model_id == model_id)
            transaction.connection.execute(delete(ModelTable).where(ModelTable.id == model_id))
            needed = (select(VectorTable.content_key), select(TrackTable.content_key))
            unneeded = and_(*(AnalysisTable.content_key.not_in(keys) for keys in needed))
            transaction.connection.execute(delete(AnalysisTable).where(unneeded))
