"""Recordings that earlier versions took for music, though no window of theirs is louder than near-silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.features.attributes import NEAR_SILENCE_DB, measure_energy
from resonance_engine.store import Embedding, Store, Windows
from resonance_engine.store.opening import open_store
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTORS = unit_vectors(8)
LEVELS = [
    (-91.0,), (-61.0,), (-59.0,), (-66.0, -66.0, -66.0, -66.0), (-67.0, -67.0, -67.0, -67.0),
    (-57.0, -99.0, -99.0, -99.0), (-61.0, -61.0, -61.0, -61.0), (-80.0, -70.0, -68.0), (-30.0, -90.0), (-100.0, -100.0),
]  # fmt: skip


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        store.models.register(MODEL)
        yield store


def add(store: Store, number: int, levels: tuple[float, ...]) -> None:
    """A linked recording whose windows have these levels in dBFS."""
    samples = np.array([[10 ** (level / 20)] * 100 for level in levels], np.float32)
    windows = Windows(tuple(range(len(levels))), VECTORS[: len(levels)])
    with store.write():
        store.vectors.put(key(number), MODEL.id, Embedding(VECTORS[0], windows=windows))
        store.analyses.put(key(number), "1", {"energy": measure_energy(samples)})
        store.tracks.link(store.libraries.get_or_create("a"), track(number, number))


def test_what_is_certain_is_dropped_and_nothing_else(store: Store) -> None:
    for number, levels in enumerate(LEVELS):
        add(store, number, levels)
    silent = {key(number) for number, levels in enumerate(LEVELS) if max(levels) < NEAR_SILENCE_DB}
    uncertain = {key(3), key(6)}  # as loud on average as a loud window among three that are silent
    assert store.maintenance.silent_recordings(NEAR_SILENCE_DB) == silent - uncertain
    before = store.vectors.matrix(MODEL.id)[0]
    generation = store.generation
    assert store.maintenance.drop_silent(NEAR_SILENCE_DB) == len(silent - uncertain)
    left = {key(number) for number in range(len(LEVELS))} - (silent - uncertain)
    ids = store.vectors.matrix(MODEL.id)[0]
    assert set(store.vectors.content_keys(ids).values()) == left == set(store.analyses.get(map(key, range(99))))
    assert {row.content_key for row in store.tracks.all(1).values()} == left
    assert set(store.vectors.changes(MODEL.id, generation).removed_ids) == set(before) - set(ids), (
        "older indexes drop them"
    )
    assert store.maintenance.drop_silent(NEAR_SILENCE_DB) == 0


def test_what_says_nothing_about_the_level_stays(store: Store, place: Path | str) -> None:
    for number in range(4):
        add(store, number, (-91.0,))
    for number, attributes in enumerate(['{"tempo": 120}', '{"energy": null}', "{", '{"energy": "-91"}']):
        change_rows(place, "UPDATE analysis SET attributes = ? WHERE content_key = ?", attributes, key(number))
    add(store, 4, (-91.0,))
    change_rows(place, "DELETE FROM window WHERE content_key = ?", key(4))
    assert store.maintenance.silent_recordings(NEAR_SILENCE_DB) == set()
