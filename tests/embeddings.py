"""Vectors, keys and models small enough to reason about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.store import Model, TrackRow

if TYPE_CHECKING:
    from resonance_engine.store.records import Matrix

WIDTH = 8
MODEL = Model("a1b2", "small", "1.0", WIDTH, {"timbre": WIDTH, "rhythm": 4})


def unit_vectors(count: int, width: int = WIDTH, seed: int = 0) -> Matrix:
    """Random directions, shape (count, width)."""
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def stored(vectors: Matrix) -> Matrix:
    """The vectors as the store gives them back."""
    return vectors.astype(np.float16).astype(np.float32)


def key(number: int) -> bytes:
    """The content key of an imagined recording."""
    return number.to_bytes(16, "big")


def track(item_id: int, content: int, added: float = 1.5) -> TrackRow:
    """An item that holds an imagined recording."""
    return TrackRow(item_id, added, size=1000 + item_id, mtime_ns=10**18 + item_id, content_key=key(content))
