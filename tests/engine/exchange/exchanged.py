"""Recordings to exchange, what a store has of them, and files of vectors with something changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.exchange.writer import export_store
from resonance_engine.store import DenseWindows, Embedding, Model, Store, Windows
from tests.embeddings import WIDTH, key, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MODEL = Model("a1b2", "small", "1.0", WIDTH, {"timbre": WIDTH, "rhythm": 4}, tags=("piano", "rain"))
COUNT = 5
CONTENTS = {
    "vector": "content_key, model_id, kind, gate, data",
    "window": "content_key, model_id, position, start, data",
    "tag": "content_key, model_id, data",
    "analysis": "content_key, extractor_version, attributes",
    "passage": "content_key, model_id, data, hop, length",
}


def stored_rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables that are exchanged, by table; without ids and generations, which are the store's own."""
    with closing(sqlite3.connect(path)) as database:
        return {
            table: sorted(database.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)  # noqa: S608 - constants
            for table, columns in CONTENTS.items()
        }


def fill(store: Store) -> list[bytes]:
    """Store analyses of imagined recordings, of one window or several, one of them with dense windows."""
    store.models.register(MODEL)
    keys = [key(number) for number in range(COUNT)]
    for number, content_key in enumerate(keys):
        vectors = unit_vectors(2 + number, seed=number)
        embedding = Embedding(
            vectors[0],
            {"timbre": vectors[1], "rhythm": unit_vectors(1, 4, seed=number)[0]},
            {"timbre": 0.1 * number, "rhythm": 1 / 3},
            Windows(tuple(18.1 * place for place in range(1 + number)), vectors[1:]),
            {"piano": 0.3, "rain": 1.0 - 0.01 * number},
        )
        store.vectors.put(content_key, MODEL.id, embedding)
        store.analyses.put(content_key, "2", {"tempo": 120.1 + number, "key": "A minor", "brightness": None, "ü": "ß"})
    store.passages.put(keys[1], MODEL.id, DenseWindows(4.0, 18.0, np.vstack([np.zeros((1, WIDTH)), unit_vectors(2)])))
    return keys


def export(folder: Path) -> Path:
    """Export such a store; the path of the file, beside that of the store."""
    path = folder / "vectors.npz"
    with Store(folder / "from.db") as store:
        assert export_store(store, MODEL, fill(store), path) == COUNT
    return path


def load(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as archive:
        return dict(archive)


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the names are those of no argument
    return path
