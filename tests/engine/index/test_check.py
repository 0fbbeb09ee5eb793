"""An index that finds other neighbours than sorting does is told apart from one that is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.index.check import disagreement, sample_rows
from resonance_engine.index.vector_index import VectorIndex
from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from resonance_engine.store.records import Ids, Matrix

IDS = np.arange(3, 603, 2)
VECTORS = stored(unit_vectors(len(IDS)))


class Wrong(VectorIndex):
    """Finds the second best instead of the best, or claims a higher score for it."""

    def __init__(self, change: str) -> None:
        super().__init__(IDS, VECTORS)
        self.change = change

    def nearest(self, queries: Matrix, k: int, *rest: Any, **named: Any) -> tuple[Matrix, Ids]:
        scores, ids = super().nearest(queries, k + 1, *rest, **named)
        if self.change == "missed":
            return scores[:, 1:], ids[:, 1:]
        if self.change == "mistaken":
            ids[0, 3] = ids[0, 9]
        else:
            scores[0, 3] += 0.01
        return scores[:, :k], ids[:, :k]


@pytest.mark.parametrize("count", [0, 1, 2, 63, 300])
def test_a_right_index(count: int) -> None:
    assert disagreement(VectorIndex(IDS[:count], VECTORS[:count]), IDS[:count], VECTORS[:count]) is None


def test_many_equal_vectors_are_right_in_any_order() -> None:
    vectors = np.repeat(VECTORS[:3], 100, axis=0)
    assert disagreement(VectorIndex(IDS, vectors), IDS, vectors) is None


def test_an_index_that_was_kept_up_with_many_changes_is_right() -> None:
    index = VectorIndex(IDS, VECTORS)
    assert index.moments.count == len(IDS)
    for start in range(0, 280, 20):
        index.remove(IDS[start : start + 20])
        index.add(IDS[start : start + 20], VECTORS[start : start + 20])
    assert disagreement(index, IDS, VECTORS) is None


@pytest.mark.parametrize(("change", "wrong"), [("missed", 64), ("mistaken", 1), ("claimed", 1)])
def test_an_index_that_finds_others(change: str, wrong: int) -> None:
    assert disagreement(Wrong(change), IDS, VECTORS) == f"it finds other neighbours for {wrong} of 64 vectors"


def test_vectors_that_are_not_finite_are_left_to_the_check_of_the_database() -> None:
    vectors = VECTORS.copy()
    vectors[5, 0] = np.nan
    assert disagreement(VectorIndex(IDS, VECTORS), IDS, vectors) is None


def test_the_sample_spreads_from_the_first_to_the_last() -> None:
    for count in (1, 2, 64, 65, 1000):
        rows = sample_rows(count)
        assert len(rows) == min(64, count)
        assert (rows[0], rows[-1]) == (0, count - 1)
