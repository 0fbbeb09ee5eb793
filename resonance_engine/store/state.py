"""Single facts about the store, as JSON: table `state`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.store.errors import read_json

if TYPE_CHECKING:
    from resonance_engine.store.database import Database


@dataclass(frozen=True)
class StateTable:
    """Facts by key, such as "seconds_per_track"."""

    database: Database

    def get(self, key: str, *kinds: type) -> Any:
        """Return a fact; None where it isn't known, or is of none of the types, if any are given."""
        with self.database.read() as transaction:
            rows = transaction.rows("SELECT value FROM state WHERE key = ?", key)
            value = read_json(rows[0][0]) if rows else None
        return value if not kinds or isinstance(value, kinds) else None

    def set(self, key: str, value: Any) -> None:
        """Store a fact; the value is one that JSON takes."""
        self.database.write_state(key, json.dumps(value))
