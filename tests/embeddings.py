"""Vectors, keys and models small enough to reason about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.store import Model, TrackRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.store.records import Matrix

WIDTH = 8
MODEL = Model("a1b2", "small", "1.0", WIDTH, {"timbre": WIDTH, "rhythm": 4})


def unit_vectors(count: int, width: int = WIDTH, seed: int = 0) -> Matrix:
    """Random directions, shape (count, width)."""
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def vectors_around(axes: Sequence[int], share: float = 0.2) -> Matrix:
    """Unit vectors (count, WIDTH), each near one of the first axes; those of one axis are alike, but no copies.

    The `share` of a vector's square length that is its own has signs by its number in the other dimensions.
    """
    first = max(axes) + 1
    own = WIDTH - first
    vectors = np.zeros((len(axes), WIDTH), np.float32)
    vectors[np.arange(len(axes)), axes] = np.sqrt(1 - share)
    signs = 1 - 2 * (np.arange(len(axes))[:, None] >> np.arange(own) & 1)
    vectors[:, first:] = signs * np.sqrt(share / own)
    return vectors


def crowded(vectors: Matrix) -> Matrix:
    """The vectors as of a network that puts all tracks near each other: their cosines are 0.94 where they were 0."""
    near = 0.97 * np.full(vectors.shape[1], vectors.shape[1] ** -0.5) + 0.25 * vectors
    return np.asarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)


def stored(vectors: Matrix) -> Matrix:
    """The vectors as the store gives them back."""
    return vectors.astype(np.float16).astype(np.float32)


def key(number: int) -> bytes:
    """The content key of an imagined recording."""
    return number.to_bytes(16, "big")


def track(item_id: int, content: int, added: float = 1.5) -> TrackRow:
    """An item that holds an imagined recording."""
    return TrackRow(item_id, added, size=1000 + item_id, mtime_ns=10**18 + item_id, content_key=key(content))
