"""Store files for the tests of the file itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from resonance_engine.store import Embedding, Store
from resonance_engine.store.migrations import MIGRATIONS
from tests.embeddings import MODEL, key, unit_vectors

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = unit_vectors(8)
NEWEST = 1 + len(MIGRATIONS)


def make_store(path: Path) -> None:
    with Store(path) as store:
        store.models.register(MODEL)
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0]))


def pragmas(path: Path, *names: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
