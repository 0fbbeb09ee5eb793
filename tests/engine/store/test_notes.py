"""Models, failures, analyses and facts: what stands beside the vectors."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Analysis, Embedding, Failure, Store
from resonance_engine.store.opening import open_store
from tests.embeddings import MODEL, key, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTOR = unit_vectors(1)[0]
OTHER = dataclasses.replace(MODEL, id="c3d4", name="other")


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        store.models.register(MODEL)
        yield store


class TestNotes:
    def test_tries_count_while_the_file_is_the_same(self, store: Store) -> None:
        home, path = store.libraries.get_or_create("home"), b"/m/caf\xe9.mp3"
        store.failures.record(home, path, 10, 20, "it is empty")
        store.failures.record(home, path, 10, 20, "it hangs")
        first = store.failures.all(home)[path]
        assert first == Failure(path, 10, 20, "it hangs", 2, first.last_tried)
        store.failures.record(home, path, 11, 20, "it hangs")
        assert store.failures.all(home)[path].tries == 1
        store.failures.record(store.libraries.get_or_create("car"), path, 1, 1, "other")
        store.failures.clear(home, path, b"unknown")
        assert store.failures.all(home) == {}
        assert len(store.failures.all(store.libraries.get_or_create("car"))) == 1

    def test_a_newer_analysis_replaces_an_older(self, store: Store) -> None:
        store.analyses.put(key(1), "1", {"tempo": 120.5, "key": "c♯"})
        store.analyses.put(key(2), "1", {"tempo": None})
        store.analyses.put(key(1), "2", {"tempo": 60})
        assert store.analyses.get([key(1), key(3)]) == {key(1): Analysis("2", {"tempo": 60})}
        assert store.analyses.get([key(2)]) == {key(2): Analysis("1", {"tempo": None})}

    def test_state_is_any_json(self, store: Store) -> None:
        assert store.state.get("seconds_per_track") is None
        store.state.set("seconds_per_track", 0.25)
        store.state.set("seconds_per_track", {"m": [0.5, None]})
        assert store.state.get("seconds_per_track") == {"m": [0.5, None]}


class TestModels:
    def test_one_is_active_at_a_time(self, store: Store) -> None:
        store.models.register(OTHER)
        assert store.models.active() is None
        store.models.activate(MODEL.id)
        store.models.activate(OTHER.id)
        store.models.register(MODEL)
        assert store.models.active() == dataclasses.replace(OTHER, active=True)
        assert store.models.all() == [dataclasses.replace(OTHER, active=True), MODEL]

    def test_an_unknown_model_is_refused(self, store: Store) -> None:
        for act in (
            lambda: store.models.activate("nope"),
            lambda: store.vectors.matrix("nope"),
            lambda: store.vectors.put(key(1), "nope", Embedding(VECTOR)),
        ):
            with pytest.raises(StoreError, match="no model nope; it knows a1b2"):
                act()

    @pytest.mark.parametrize("bad", ["", "a/b", "é", "x" * 65])
    def test_an_id_names_files(self, store: Store, bad: str) -> None:
        with pytest.raises(ValueError, match="model id"):
            store.models.register(dataclasses.replace(MODEL, id=bad))

    def test_an_id_stands_for_one_shape_of_vectors(self, store: Store) -> None:
        with pytest.raises(StoreError, match=r"id of its own"):
            store.models.register(dataclasses.replace(MODEL, dimensions=16))
        with pytest.raises(ValueError, match="can't be named 'embedding'"):
            store.models.register(dataclasses.replace(OTHER, modalities={"embedding": 8}))

    def test_forgetting_one_leaves_the_others(self, store: Store) -> None:
        store.models.register(OTHER)
        store.vectors.put(key(1), MODEL.id, Embedding(VECTOR))
        store.vectors.put(key(1), OTHER.id, Embedding(VECTOR))
        before = store.generation
        store.models.remove(MODEL.id)
        assert [model.id for model in store.models.all()] == [OTHER.id]
        assert store.vectors.count(MODEL.id) == 0
        assert store.vectors.count(OTHER.id) == 1
        assert store.generation > before
