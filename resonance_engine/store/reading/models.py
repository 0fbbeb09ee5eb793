"""The models whose vectors a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError
from resonance_engine.store.reading.view import Reading, read_json
from resonance_engine.store.records import Model

if TYPE_CHECKING:
    import sqlite3


class ModelReading(Reading):
    """Verbs that read models."""

    def models(self) -> list[Model]:
        """All models that the store knows, by name."""
        with self._view() as view:
            return models(view.driver)

    def active_model(self) -> Model | None:
        """The model in use, if any is."""
        return next((model for model in self.models() if model.active), None)


def models(driver: sqlite3.Connection) -> list[Model]:
    rows = driver.execute("SELECT id, name, version, dimensions, modalities, active, tags FROM model ORDER BY name, id")
    return [
        Model(id_, name, version, dimensions, read_json(modalities, dict), bool(active), tuple(read_json(tags, list)))
        for id_, name, version, dimensions, modalities, active, tags in rows
    ]


def known_model(driver: sqlite3.Connection, model_id: str) -> Model:
    """The model of that id, or a StoreError."""
    known = models(driver)
    for model in known:
        if model.id == model_id:
            return model
    names = ", ".join(model.id for model in known) or "none"
    raise StoreError(f"The store knows no model {model_id}; it knows {names}. Register the model first.")
