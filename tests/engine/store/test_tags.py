"""Tags of recordings go in with their vectors, come out by recording or all at once, and leave with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.opening import open_store
from tests.embeddings import MODEL, key, stored, track, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTORS = unit_vectors(8)
NAMES = ("rock", "sad", "80s")
TAGGED = replace(MODEL, tags=NAMES)
OTHER = replace(MODEL, id="c3d4", name="other", tags=("sad", "rock"))
PROBABILITIES = np.random.default_rng(0).random((8, 3), np.float32)


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        store.models.register(TAGGED)
        yield store


def said(content: int) -> Embedding:
    # In another order than the model's: it is the name that counts.
    names = [("80s", 2), ("rock", 0), ("sad", 1)]
    return Embedding(VECTORS[content], tags={name: float(PROBABILITIES[content, place]) for name, place in names})


def test_tags_come_back_by_name(store: Store) -> None:
    store.vectors.put_many(MODEL.id, {key(n): said(n) for n in range(3)})
    store.vectors.put(key(3), MODEL.id, Embedding(VECTORS[3]))
    found = store.tags.get([key(2), key(0), key(3), key(9)], MODEL.id)
    assert found == {key(n): dict(zip(NAMES, stored(PROBABILITIES[n]).tolist(), strict=True)) for n in (0, 2)}
    store.vectors.put(key(0), MODEL.id, said(5))
    store.vectors.put(key(0), MODEL.id, Embedding(VECTORS[0]))
    assert store.tags.get([key(0)], MODEL.id)[key(0)]["rock"] == stored(PROBABILITIES)[5, 0]


def test_models_have_tags_of_their_own(store: Store) -> None:
    store.models.register(OTHER)
    store.vectors.put(key(1), MODEL.id, said(1))
    store.vectors.put(key(1), OTHER.id, Embedding(VECTORS[1], tags={"rock": 0.25, "sad": 1.0}))
    assert store.tags.get([key(1)], OTHER.id) == {key(1): {"sad": 1.0, "rock": 0.25}}
    assert store.tags.matrix(OTHER.id)[1].tolist() == [[1.0, 0.25]]
    store.models.remove(MODEL.id)
    assert store.tags.matrix(OTHER.id)[1].tolist() == [[1.0, 0.25]]
    store.models.register(TAGGED)
    assert store.tags.matrix(MODEL.id)[1].shape == (0, 3)


def test_all_tags_are_a_matrix_by_the_ids_of_the_embeddings(store: Store) -> None:
    for n in (5, 1, 7):
        store.vectors.put(key(n), MODEL.id, replace(said(n), facets={"timbre": VECTORS[0]}))
    store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[2]))
    ids, probabilities = store.tags.matrix(MODEL.id)
    contents = [int.from_bytes(store.vectors.content_keys(ids)[each], "big") for each in ids]
    assert (contents, sorted(ids)) == ([5, 1, 7], list(ids))
    assert set(ids) < set(store.vectors.matrix(MODEL.id)[0])
    np.testing.assert_array_equal(probabilities, stored(PROBABILITIES[[5, 1, 7]]))


def test_a_sample_does_not_depend_on_the_order_of_import(store: Store) -> None:
    for n in (5, 1, 7, 3):
        store.vectors.put(key(n), MODEL.id, said(n))
    np.testing.assert_array_equal(store.tags.sample(MODEL.id, 3), stored(PROBABILITIES[[1, 3, 5]]))
    assert store.tags.sample(MODEL.id).shape == (4, 3)


def test_all_attributes_are_columns_by_the_ids_of_the_embeddings(store: Store) -> None:
    for n in (5, 1, 7):
        store.vectors.put(key(n), MODEL.id, said(n))
    store.analyses.put(key(1), "1", {"tempo": 120.5, "key": "A minor", "odd name": True})
    store.analyses.put(key(5), "1", {"tempo": None, "key": "C major"})
    store.analyses.put(key(8), "1", {"tempo": 90.0})
    ids, columns = store.analyses.attributes(MODEL.id, ["key", "tempo", "odd name", "mood"])
    assert [int.from_bytes(store.vectors.content_keys(ids)[each], "big") for each in ids] == [5, 1]
    assert columns == {
        "key": ["C major", "A minor"],
        "tempo": [None, 120.5],
        "odd name": [None, 1],
        "mood": [None, None],
    }


class TestHeard:
    def test_a_model_that_gives_tags_has_heard_what_has_both(self, store: Store) -> None:
        store.vectors.put(key(1), MODEL.id, said(1))
        store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[2]))
        assert store.vectors.complete(map(key, range(4)), MODEL.id) == {key(1)}
        home, car = store.libraries.get_or_create("home"), store.libraries.get_or_create("car")
        assert store.tags.count_missing(MODEL.id) == 0, "in no library"
        store.tracks.link_many(home, [track(1, 1), track(2, 2), track(3, 3)])
        store.tracks.link(car, track(1, 2))
        assert store.tags.count_missing(MODEL.id) == 1

    def test_one_that_gives_none_has_heard_what_has_an_embedding(self, store: Store) -> None:
        store.models.register(replace(OTHER, tags=()))
        store.vectors.put(key(1), OTHER.id, Embedding(VECTORS[1]))
        store.tracks.link(store.libraries.get_or_create("home"), track(1, 1))
        assert store.vectors.complete([key(1), key(2)], OTHER.id) == {key(1)}
        assert store.tags.count_missing(OTHER.id) == 0

    def test_one_that_is_not_known_has_heard_nothing(self, store: Store) -> None:
        assert store.vectors.complete([key(1)], "nobody") == set()
        with pytest.raises(StoreError, match="knows no model nobody"):
            store.tags.count_missing("nobody")


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"rock": 0.5}, "The 3 tags of small come all at once; '80s' is the odd one"),
        ({"rock": 0.5, "sad": 0.5, "80s": 0.5, "jazz": 0.5}, "'jazz' is the odd one"),
        ({"rock": 0.5, "sad": 1.001, "80s": 0.5}, "'sad' should have a probability of 0 to 1 and has 1.001"),
        ({"rock": 0.5, "sad": 0.5, "80s": float("nan")}, "has nan"),
    ],
)
def test_what_the_model_cannot_have_said_is_refused(store: Store, tags: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        store.vectors.put_many(MODEL.id, {key(1): said(1), key(2): Embedding(VECTORS[2], tags=tags)})
    assert store.vectors.embedded([key(1), key(2)], MODEL.id) == set()


def test_other_names_under_the_same_id_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="knows other tags for the model id a1b2"):
        store.models.register(replace(MODEL, tags=("rock", "80s", "sad")))
    store.models.register(MODEL)
    assert store.models.all() == [TAGGED]


def test_tags_leave_with_their_recording(store: Store) -> None:
    store.vectors.put_many(MODEL.id, {key(n): said(n) for n in range(3)})
    store.tracks.link(store.libraries.get_or_create("home"), track(1, 1))
    assert store.maintenance.prune() == 2
    assert store.tags.get(map(key, range(3)), MODEL.id).keys() == {key(1)}
