"""Pairs and rules of what is kept apart: in, out, and whatever else happens to the store."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from resonance_engine.store.recovery.repair import repair_store
from resonance_engine.store.state import RULES_KEY
from tests.embeddings import MODEL, key, track, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = st.lists(st.integers(0, 5), max_size=4)
STEPS = st.lists(st.tuples(st.booleans(), KEYS, st.none() | KEYS), max_size=6)


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        store.models.register(MODEL)
        yield store


def test_each_of_the_one_is_apart_from_each_of_the_other(store: Store) -> None:
    assert store.incompatible_pairs.all() == frozenset()
    assert store.incompatible_pairs.add([key(3), key(1)], [key(2), key(3)]) == 3
    assert store.incompatible_pairs.all() == {(key(2), key(3)), (key(1), key(2)), (key(1), key(3))}
    assert store.incompatible_pairs.add([key(2), key(4)], [key(1)]) == 1, "the pair of 1 and 2 is known"


def test_reuniting_undoes_it_from_either_side(store: Store) -> None:
    store.incompatible_pairs.add([key(1), key(2)], [key(3), key(4)])
    assert store.incompatible_pairs.remove([key(3)], [key(1), key(9)]) == 1
    assert store.incompatible_pairs.remove([key(4)]) == 2
    assert store.incompatible_pairs.all() == {(key(2), key(3))}
    assert store.incompatible_pairs.remove([key(2)], []) == 0


@settings(max_examples=30)
@given(STEPS)
def test_the_pairs_are_those_of_a_set_of_sets(steps: list[tuple[bool, list[int], list[int] | None]]) -> None:
    expected: set[frozenset[int]] = set()
    with TemporaryDirectory() as folder, Store(Path(folder) / "resonance.db") as store:
        for parts, one, other in steps:
            before, others = len(expected), range(6) if other is None else other
            joined = {frozenset((a, b)) for a in one for b in others if a != b}
            if parts:
                expected |= joined
                assert store.incompatible_pairs.add(map(key, one), map(key, others)) == len(expected) - before
            else:
                expected -= joined
                keys = None if other is None else map(key, other)
                assert store.incompatible_pairs.remove(map(key, one), keys) == before - len(expected)
            assert store.incompatible_pairs.all() == {tuple(sorted(map(key, pair))) for pair in expected}


def test_a_pair_outlives_its_tracks_its_vectors_and_its_model(place: Path | str, store: Store) -> None:
    store.vectors.put_many(MODEL.id, {key(n): Embedding(unit_vectors(3)[n]) for n in range(3)})
    home = store.libraries.get_or_create("home")
    store.tracks.link_many(home, [track(n, n) for n in range(3)])
    store.incompatible_pairs.add([key(0)], [key(1)])
    store.tracks.unlink(home, range(3))
    assert store.maintenance.prune() == 3
    store.models.remove(MODEL.id)
    store.close()
    with open_store(place) as again:
        assert again.incompatible_pairs.all() == {(key(0), key(1))}


def test_nothing_is_kept_of_a_transaction_that_fails(store: Store) -> None:
    store.incompatible_pairs.add([key(1)], [key(2)])

    def fail() -> None:
        with store.write():
            store.incompatible_pairs.add([key(1)], [key(3)])
            store.incompatible_pairs.remove([key(1)], [key(2)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.incompatible_pairs.all() == {(key(1), key(2))}


def test_rules_are_kept_in_the_order_in_which_they_came(store: Store) -> None:
    rules = store.incompatible_queries
    assert rules.all() == []
    assert rules.add(("artist:a b",), ("genres:x", "year:1990"))
    assert rules.add(("y",), ("z",))
    assert not rules.add(("genres:x", "year:1990"), ("artist:a b",)), "whichever comes first, it is the same rule"
    assert rules.all() == [(("artist:a b",), ("genres:x", "year:1990")), (("y",), ("z",))]
    assert rules.remove(("z",), ("a",)) == 0
    assert rules.remove(("z",), ("y",)) == 1
    assert rules.remove(("artist:a b",)) == 1
    assert rules.all() == []


def test_pairs_of_an_older_file_go_on_beside_rules(store: Store, place: Path | str) -> None:
    store.incompatible_pairs.add([key(1)], [key(2)])
    store.incompatible_queries.add(("a",), ("b",))
    store.close()
    with open_store(place) as again:
        assert again.incompatible_pairs.all() == {(key(1), key(2))}
        assert again.incompatible_queries.all() == [(("a",), ("b",))]


@pytest.mark.parametrize(
    "value", ["[[]]", '[[["a"], []]]', '[[["a"]]]', '[[["a"], ["b"], ["c"]]]', '[[[1], ["b"]]]', "3"]
)
def test_what_is_no_rule_is_damage_that_a_repair_takes_out(store: Store, value: str) -> None:
    store.state.set(RULES_KEY, json.loads(value))
    with pytest.raises(StoreError):
        store.incompatible_queries.all()
    assert check_store(store, MODEL.id) == [f"The note {RULES_KEY!r} can't be read."]
    repair_store(store, MODEL.id)
    assert store.incompatible_queries.all() == []
