"""The models whose vectors a store holds: table `model`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError
from resonance_engine.store.records import EMBEDDING
from resonance_engine.store.sqlite_file import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.store.database import Database
    from resonance_engine.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose vectors the store holds.

    `dimensions` is the width of its embeddings, `modalities` the width of each facet by its name; `tags` name the
    probabilities that it gives a recording, if it gives any.
    """

    id: str
    name: str
    version: str
    dimensions: int
    modalities: Mapping[str, int] = field(default_factory=dict)
    active: bool = False
    tags: tuple[str, ...] = ()

    def widths(self) -> dict[str, int]:
        """Return the width of each kind of vector: the embedding's and the facets'."""
        return {EMBEDDING: self.dimensions, **self.modalities}


@dataclass(frozen=True)
class ModelTable:
    """Models by id; at most one is active (searched), while others are being prepared or left behind."""

    database: Database

    def all(self) -> list[Model]:
        """Return all models, by name."""
        with self.database.read() as snapshot:
            return select_models(snapshot)

    def active(self) -> Model | None:
        """Return the model in use, if any is."""
        with self.database.read() as snapshot:
            return next((model for model in select_models(snapshot) if model.active), None)

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
        if self._is_registered(model):
            return
        with self.database.write() as transaction:
            row = {**asdict(model), "modalities": json.dumps(dict(model.modalities)), "tags": json.dumps(model.tags)}
            if all(known.id != model.id for known in select_models(transaction.driver)):
                transaction.upsert("model", [{**row, "active": False}])
            elif not self._is_registered(model):
                transaction.update("model", {"tags": row["tags"]}, id=model.id)

    def activate(self, model_id: str) -> None:
        """Take a model into use instead of the one that was."""
        with self.database.read() as snapshot:
            if select_model(snapshot, model_id).active:
                return
        with self.database.write() as transaction:
            transaction.update("model", {"active": False}, active=True)
            if not transaction.update("model", {"active": True}, id=model_id):
                select_model(transaction.driver, model_id)  # removed meanwhile, which it raises

    def remove(self, model_id: str) -> None:
        """Delete a model with all its vectors, and the analyses of recordings that are in no other table then."""
        with self.database.write() as transaction:
            transaction.delete("vector", "model_id", [model_id])
            transaction.delete("model", "id", [model_id])
            statement = (
                "SELECT content_key FROM analysis WHERE content_key NOT IN (SELECT content_key FROM vector) "
                "AND content_key NOT IN (SELECT content_key FROM track)"
            )
            transaction.delete("analysis", "content_key", [key for (key,) in transaction.driver.execute(statement)])

    def _is_registered(self, model: Model) -> bool:
        """Whether a model has its row with the tags; StoreError where the row is of another model."""
        known = next((known for known in self.all() if known.id == model.id), None)
        if known is None:
            return False
        if known.widths() != model.widths():
            raise StoreError(
                f"{self.database.name} holds vectors of widths {known.widths()} for the model id "
                f"{model.id}, and this model makes {model.widths()}; export the model again, so that it "
                "gets an id of its own."
            )
        if known.tags and model.tags and known.tags != model.tags:
            raise StoreError(
                f"{self.database.name} knows other tags for the model id {model.id} than this model gives; "
                "export the model again, so that it gets an id of its own."
            )
        return bool(known.tags) or not model.tags


def select_models(driver: Snapshot) -> list[Model]:
    """Return all models, by name."""
    statement = "SELECT id, name, version, dimensions, modalities, active, tags FROM model ORDER BY name, id"
    return [_parse_model(*row) for row in driver.execute(statement)]


@lru_cache(maxsize=64)  # the same few rows are read again and again
def _parse_model(id_: str, name: str, version: str, width: int, modalities: str, active: int, tags: str) -> Model:
    return Model(id_, name, version, width, read_json(modalities, dict), bool(active), tuple(read_json(tags, list)))


def select_model(driver: Snapshot, model_id: str) -> Model:
    """Return the model of that id; StoreError where there is none."""
    known = {model.id: model for model in select_models(driver)}
    if model_id not in known:
        names = ", ".join(known) or "none"
        raise StoreError(f"The store knows no model {model_id}; it knows {names}. Register the model first.")
    return known[model_id]
