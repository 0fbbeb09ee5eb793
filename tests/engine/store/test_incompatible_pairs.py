"""Pairs that are kept apart: in, out, and whatever else happens to the store."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.store import Embedding, Store
from tests.embeddings import MODEL, key, track, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = st.lists(st.integers(0, 5), max_size=4)
STEPS = st.lists(st.tuples(st.booleans(), KEYS, st.none() | KEYS), max_size=6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "resonance.db") as store:
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


def test_a_pair_outlives_its_tracks_its_vectors_and_its_model(tmp_path: Path, store: Store) -> None:
    store.vectors.put_many(MODEL.id, {key(n): Embedding(unit_vectors(3)[n]) for n in range(3)})
    home = store.libraries.get_or_create("home")
    store.tracks.link_many(home, [track(n, n) for n in range(3)])
    store.incompatible_pairs.add([key(0)], [key(1)])
    store.tracks.unlink(home, range(3))
    assert store.maintenance.prune() == 3
    store.models.remove(MODEL.id)
    store.close()
    with Store(tmp_path / "resonance.db") as again:
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
