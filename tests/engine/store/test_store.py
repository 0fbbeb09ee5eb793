"""What goes into a store comes out of it, and nothing wrong goes in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.store import Counts, Embedding, Model, Store, Windows
from resonance_engine.store.opening import open_store
from resonance_engine.store.records import FLOAT16, decode
from tests.embeddings import MODEL, WIDTH, key, stored, track, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTORS = unit_vectors(40)
OTHER = dataclasses.replace(MODEL, id="c3d4", name="other")


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        store.models.register(MODEL)
        yield store


def put(store: Store, *contents: int, model: Model = MODEL) -> None:
    store.vectors.put_many(model.id, {key(i): Embedding(VECTORS[i]) for i in contents})


class TestVectors:
    def test_everything_a_model_says_comes_back(self, store: Store) -> None:
        facets = {"timbre": VECTORS[1], "rhythm": unit_vectors(1, 4)[0]}
        windows = Windows((0.0, 4.5), VECTORS[2:4])
        store.vectors.put(key(7), MODEL.id, Embedding(VECTORS[0], facets, {"timbre": 0.75}, windows))

        for kind, vector in {"embedding": VECTORS[0], **facets}.items():
            found = store.vectors.get([key(7), key(8)], MODEL.id, kind)
            assert list(found) == [key(7)]
            np.testing.assert_array_equal(found[key(7)], stored(vector))
            assert found[key(7)].dtype == np.float32
        assert store.vectors.gates([key(7)], MODEL.id) == {key(7): {"timbre": 0.75}}
        found_windows = store.vectors.windows([key(7)], MODEL.id)[key(7)]
        assert found_windows.starts == (0.0, 4.5)
        np.testing.assert_array_equal(found_windows.vectors, stored(VECTORS[2:4]))

    def test_models_live_side_by_side(self, store: Store) -> None:
        store.models.register(OTHER)
        put(store, 1, 2)
        put(store, 2, 3, model=OTHER)
        assert store.vectors.embedded([key(1), key(2), key(3)], MODEL.id) == {key(1), key(2)}
        assert store.vectors.embedded([key(1), key(2), key(3)], OTHER.id) == {key(2), key(3)}
        assert store.vectors.count(MODEL.id) == 2

    def test_matrix_has_every_vector_once_in_order_of_id(self, store: Store) -> None:
        put(store, *range(10))
        store.vectors.put(key(3), MODEL.id, Embedding(VECTORS[20]))
        ids, vectors = store.vectors.matrix(MODEL.id)
        assert sorted(ids) == list(ids)
        contents = [int.from_bytes(store.vectors.content_keys(ids)[i], "big") for i in ids]
        assert sorted(contents) == list(range(10))
        expected = VECTORS[[20 if content == 3 else content for content in contents]]
        np.testing.assert_array_equal(vectors, stored(expected))

    def test_matrix_of_a_facet_has_its_width(self, store: Store) -> None:
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[1], {"rhythm": unit_vectors(1, 4)[0]}))
        assert store.vectors.matrix(MODEL.id, "rhythm")[1].shape == (1, 4)
        assert store.vectors.matrix(MODEL.id, "timbre")[1].shape == (0, WIDTH)
        with pytest.raises(ValueError, match="has no 'mood'"):
            store.vectors.matrix(MODEL.id, "mood")

    def test_windows_are_replaced_as_a_whole(self, store: Store) -> None:
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0], windows=Windows((0.0, 1.0, 2.0), VECTORS[:3])))
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0], windows=Windows((9.0,), VECTORS[5:6])))
        assert store.vectors.windows([key(1)], MODEL.id)[key(1)].starts == (9.0,)
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[0]))
        assert store.vectors.windows([key(1)], MODEL.id)[key(1)].starts == (9.0,)

    @pytest.mark.parametrize(
        ("embedding", "reason"),
        [
            (Embedding(VECTORS[0].astype(np.float64)), "embedding should be float32"),
            (Embedding(VECTORS[:1]), r"is float32 \(1, 8\)"),
            (Embedding(unit_vectors(1, 9)[0]), r"is float32 \(9,\)"),
            (Embedding(VECTORS[0] * np.nan), "not finite"),
            (Embedding(VECTORS[0] * 1.01), "length 1 and has 1.0100"),
            (Embedding(VECTORS[0] * 0), "has 0.0000"),
            (Embedding(VECTORS[0], {"rhythm": VECTORS[0]}), "rhythm facet should be"),
            (Embedding(VECTORS[0], {"mood": VECTORS[0]}), "no facet 'mood'; its facets: timbre, rhythm"),
            (Embedding(VECTORS[0], gates={"timbre": float("nan")}), "gate of the timbre"),
            (Embedding(VECTORS[0], windows=Windows((4.5,), VECTORS[:1] * 2)), "window at 4.5 s"),
            (Embedding(VECTORS[0], windows=Windows((4.5,), VECTORS[:2])), "2 windows and 1 starting"),
        ],
    )
    def test_what_is_no_unit_vector_of_the_model_is_refused(
        self, store: Store, embedding: Embedding, reason: str
    ) -> None:
        with pytest.raises(ValueError, match=reason):
            store.vectors.put_many(MODEL.id, {key(1): Embedding(VECTORS[1]), key(2): embedding})
        assert store.vectors.embedded([key(1), key(2)], MODEL.id) == set()

    @given(st.integers(0, 2**32 - 1), st.sampled_from([2, 128, 512]))
    @settings(max_examples=50)
    def test_storing_keeps_length_and_direction(self, seed: int, width: int) -> None:
        vector = unit_vectors(1, width, seed)[0]
        found = decode(vector.astype(FLOAT16).tobytes(), width)
        assert abs(float(found @ found) - 1) < 1e-3
        assert float(found @ vector) > 1 - 1e-3
        assert found.astype(FLOAT16).tobytes() == vector.astype(FLOAT16).tobytes()

    def test_a_real_sized_vector_resembles_itself_completely(self) -> None:
        for vector in stored(unit_vectors(50, 512)):
            assert f"{vector @ vector:.3f}" == "1.000"


class TestGeneration:
    def test_rises_exactly_when_vectors_change(self, store: Store) -> None:
        home = store.libraries.get_or_create("home")
        story = [
            (lambda: put(store, 1), True),
            (lambda: put(store, 1), False),
            (lambda: store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[1], {"timbre": VECTORS[2]})), True),
            (lambda: store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[9])), True),
            (lambda: store.tracks.link(home, track(1, 1)), False),
            (lambda: store.tracks.unlink(home, [1]), False),
            (lambda: store.failures.record(home, b"x", 1, 1, "no"), False),
            (lambda: store.analyses.put(key(1), "1", {}), False),
            (store.maintenance.prune, True),
            (store.maintenance.prune, False),
        ]
        for step, (act, rises) in enumerate(story):
            before = store.generation
            act()
            assert (store.generation > before) is rises, f"step {step}"
            assert store.generation >= before

    def test_one_transaction_is_one_generation(self, store: Store) -> None:
        before = store.generation
        with store.write():
            put(store, 1)
            during = store.generation
            put(store, 2)
            assert store.generation == during
        changes = store.vectors.changes(MODEL.id, before)
        assert (changes.generation, len(changes.added_ids)) == (during, 2)
        assert len(store.vectors.changes(MODEL.id, during)) == 0

    def test_changes_are_what_came_was_replaced_and_went(self, store: Store) -> None:
        put(store, 1, 2, 3)
        store.tracks.link(store.libraries.get_or_create("home"), track(1, 1))
        store.tracks.link(store.libraries.get_or_create("home"), track(2, 2))
        ids = {content: id_ for id_, content in store.vectors.content_keys(range(1, 99)).items()}
        then = store.generation
        store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[20]))
        store.maintenance.prune()
        put(store, 4)
        changes = store.vectors.changes(MODEL.id, then)
        new = next(id_ for id_, content in store.vectors.content_keys(changes.added_ids).items() if content == key(4))
        assert list(changes.added_ids) == [ids[key(2)], new]
        np.testing.assert_array_equal(changes.added_vectors, stored(VECTORS[[20, 4]]))
        assert list(changes.removed_ids) == [ids[key(3)]]
        assert new > ids[key(3)], "an id is never used again"

    def test_a_failed_transaction_leaves_nothing(self, store: Store) -> None:
        before = store.generation

        def interrupted() -> None:
            with store.write():
                put(store, 1)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert store.generation == before
        assert not store.vectors.embedded([key(1)], MODEL.id)
        put(store, 1)
        assert store.vectors.embedded([key(1)], MODEL.id)


class TestLibraries:
    def test_the_uuid_decides_and_a_name_that_is_taken_gets_the_start_of_it(self, store: Store) -> None:
        one = store.libraries.add("nas:/music.db", "11111111-aaaa")
        other = store.libraries.add("nas:/music.db", "22222222-bbbb")
        assert (one.name, other.name) == ("nas:/music.db", "nas:/music.db 22222222")
        assert store.libraries.all() == [one, other]
        assert store.libraries.add("renamed", one.uuid) == one
        assert store.libraries.get_or_create("nas:/music.db") == one.id


class TestTracks:
    def test_links_are_kept_by_library_and_replaced(self, store: Store) -> None:
        home, car = store.libraries.get_or_create("home"), store.libraries.get_or_create("car")
        assert store.libraries.get_or_create("home") == home != car
        store.tracks.link_many(home, [track(1, 1), track(2, 2)])
        store.tracks.link_many(home, [])
        store.tracks.link(car, track(1, 9))
        store.tracks.link(home, track(2, 3, added=9.25))
        assert store.tracks.all(home) == {1: track(1, 1), 2: track(2, 3, added=9.25)}
        assert store.tracks.all(car) == {1: track(1, 9)}

    def test_restat_changes_the_file_and_not_the_music(self, store: Store) -> None:
        home = store.libraries.get_or_create("home")
        store.tracks.link(home, track(1, 1))
        assert store.tracks.update_file(home, 1, size=5, mtime_ns=6)
        assert store.tracks.all(home) == {1: dataclasses.replace(track(1, 1), size=5, mtime_ns=6)}
        assert not store.tracks.update_file(home, 2, size=5, mtime_ns=6)

    def test_unlinking_keeps_the_music_until_prune(self, store: Store) -> None:
        home, car = store.libraries.get_or_create("home"), store.libraries.get_or_create("car")
        put(store, 1, 2, 3)
        store.vectors.put(key(2), MODEL.id, Embedding(VECTORS[2], windows=Windows((0.0,), VECTORS[:1])))
        store.analyses.put(key(2), "1", {"tempo": 120})
        store.tracks.link_many(home, [track(1, 1), track(2, 2)])
        store.tracks.link(car, track(7, 1))
        assert store.tracks.unlink(home, [1, 2, 3]) == 2
        assert store.maintenance.orphans() == {key(2), key(3)}
        store.tracks.link(home, track(4, 3))
        assert store.maintenance.prune() == 1
        assert store.vectors.embedded([key(1), key(2), key(3)], MODEL.id) == {key(1), key(3)}
        assert store.vectors.windows([key(2)], MODEL.id) == {}
        assert store.analyses.get([key(2)]) == {}

    def test_items_and_vectors_find_each_other(self, store: Store) -> None:
        home, car = store.libraries.get_or_create("home"), store.libraries.get_or_create("car")
        put(store, 1, 2, 3)
        store.tracks.link_many(home, [track(10, 1), track(11, 1), track(12, 2), track(13, 8)])
        store.tracks.link(car, track(10, 3))
        vector_of = store.tracks.vector_ids(home, range(10, 20), MODEL.id)
        assert set(vector_of) == {10, 11, 12}
        assert store.vectors.content_keys(vector_of.values()) == {vector_of[10]: key(1), vector_of[12]: key(2)}
        items = {
            vector: [row.item_id for row in rows] for vector, rows in store.tracks.by_vector(home, range(99)).items()
        }
        assert items == {vector_of[10]: [10, 11], vector_of[12]: [12]}

    def test_counts_say_how_far_the_analysis_is(self, store: Store) -> None:
        home = store.libraries.get_or_create("home")
        put(store, 1, 2, 5)
        store.tracks.link_many(home, [track(10, 1), track(11, 1), track(12, 2), track(13, 8)])
        store.failures.record(home, b"broken.mp3", 1, 1, "is broken")
        assert store.tracks.counts(home, MODEL.id) == Counts(linked=4, embedded=3, failed=1)

    def test_more_values_than_a_statement_takes(self, store: Store) -> None:
        home = store.libraries.get_or_create("home")
        put(store, 1)
        store.tracks.link_many(home, [track(1, 1), track(39_999, 1)])
        many = range(40_000)
        assert store.vectors.embedded(map(key, many), MODEL.id) == {key(1)}
        [rows] = store.tracks.by_vector(home, np.array(many)).values()
        assert [row.item_id for row in rows] == [1, 39_999]
        assert store.tracks.unlink(home, many) == 2
