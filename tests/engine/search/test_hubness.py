"""Mutual proximity against its definition, and moments that stay exact while vectors come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from resonance_engine.index.backends import NumpyScan
from resonance_engine.index.files import index_path, load_index, open_index, save_index
from resonance_engine.index.statistics import ROWS_PER_BATCH, VectorMoments
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.ranking import deviations_from, mutual_proximity, upper_tail
from resonance_engine.store import Embedding, Store
from tests.embeddings import MODEL, WIDTH, key, stored, track, unit_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COUNT = 90
# Not around the origin, as embeddings are not.
VECTORS = unit_vectors(COUNT) + np.array([0.6, *[0.0] * (WIDTH - 1)], np.float32)
VECTORS = stored(VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True))
COSINES = VECTORS.astype(np.float64) @ VECTORS.T.astype(np.float64)
OTHERS = np.where(np.eye(COUNT, dtype=bool), np.nan, COSINES)


def of_all(vectors: NDArray[np.float32]) -> VectorMoments:
    return VectorMoments.empty(WIDTH).with_vectors(vectors)


def assert_same(one: VectorMoments, other: VectorMoments) -> None:
    assert one.count == other.count
    np.testing.assert_allclose(one.total, other.total, atol=1e-9)
    np.testing.assert_allclose(one.moment, other.moment, atol=1e-9)


class TestSpread:
    def test_mean_and_deviation_without_oneself(self) -> None:
        mean, deviation = of_all(VECTORS).similarity_moments(VECTORS)
        np.testing.assert_allclose(mean, np.nanmean(OTHERS, axis=1), atol=1e-6)
        np.testing.assert_allclose(deviation, np.nanstd(OTHERS, axis=1), atol=1e-6)

    def test_a_stranger_is_compared_with_all(self) -> None:
        strangers = unit_vectors(5, seed=9)
        cosines = strangers.astype(np.float64) @ VECTORS.T.astype(np.float64)
        mean, deviation = of_all(VECTORS).similarity_moments(strangers, members=False)
        np.testing.assert_allclose(mean, cosines.mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(deviation, cosines.std(axis=1), atol=1e-6)

    def test_all_pairs(self) -> None:
        spread = of_all(VECTORS)
        assert spread.mean == pytest.approx(np.nanmean(OTHERS), abs=1e-6)
        assert spread.deviation == pytest.approx(np.nanstd(OTHERS), abs=1e-4)  # lengths are rounded

    @given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, COUNT - 1), max_size=12)), max_size=8))
    def test_it_follows_the_index_exactly(self, changes: list[tuple[bool, set[int]]]) -> None:
        index = VectorIndex(np.arange(40), VECTORS[:40])
        assert_same(index.moments, of_all(VECTORS[:40]))
        for comes, ids in changes:
            rows = np.array(sorted(ids), np.int64)
            if comes:
                index.add(rows, VECTORS[rows[::-1]])
            else:
                index.remove(rows)
        assert_same(index.moments, of_all(index.vectors(index.ids)))

    def test_large_batches_lose_nothing_that_matters(self) -> None:
        many = stored(unit_vectors(2 * ROWS_PER_BATCH + 5))
        moment = many.astype(np.float64).T @ many.astype(np.float64)
        np.testing.assert_allclose(of_all(many).moment / len(many), moment / len(many), atol=1e-6)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_next_to_nothing_has_no_nan(self, count: int) -> None:
        spread = of_all(VECTORS[:count])
        found = np.concatenate([*spread.similarity_moments(VECTORS), [spread.mean, spread.deviation]])
        assert np.isfinite(found).all()


class TestKept:
    def test_the_file_keeps_it(self, tmp_path: Path) -> None:
        index = VectorIndex(np.arange(COUNT), VECTORS)
        save_index(tmp_path / "index", index, "m", 3)
        found = load_index(tmp_path / "index", "m")
        assert found is not None
        np.testing.assert_array_equal(found[0].moments.moment, index.moments.moment)
        assert_same(found[0].moments, index.moments)

    def test_changes_of_the_store_reach_it(self, tmp_path: Path) -> None:
        with Store(tmp_path / "resonance.db") as store:
            store.models.register(MODEL)
            store.vectors.put_many(MODEL.id, {key(i): Embedding(VECTORS[i]) for i in range(60)})
            open_index(store, MODEL.id, tmp_path)
            store.tracks.link_many(store.libraries.get_or_create("home"), [track(i, i) for i in range(50)])
            store.vectors.put_many(MODEL.id, {key(i): Embedding(VECTORS[i + 20]) for i in range(48, 50)})
            store.maintenance.prune()
            index = open_index(store, MODEL.id, tmp_path)
            assert len(index) == 50
            assert_same(index.moments, of_all(index.vectors(index.ids)))

    def test_facets_have_files_of_their_own(self, tmp_path: Path) -> None:
        with Store(tmp_path / "resonance.db") as store:
            store.models.register(MODEL)
            facets = unit_vectors(30, 4)
            store.vectors.put_many(
                MODEL.id, {key(i): Embedding(VECTORS[i], {"rhythm": facets[i]}, {"rhythm": 0.5}) for i in range(30)}
            )
            whole, rhythm = (open_index(store, MODEL.id, tmp_path, kind) for kind in ("embedding", "rhythm"))
            np.testing.assert_array_equal(rhythm.ids, whole.ids)
            np.testing.assert_array_equal(rhythm.vectors(whole.ids), stored(facets))
            assert index_path(tmp_path, MODEL.id, "rhythm").exists()
            assert load_index(index_path(tmp_path, MODEL.id, "rhythm"), MODEL.id) is None
            store.vectors.put(key(3), MODEL.id, Embedding(VECTORS[3], {"rhythm": facets[5]}))
            store.vectors.put(key(30), MODEL.id, Embedding(VECTORS[30], {"rhythm": facets[7]}))
            again = open_index(store, MODEL.id, tmp_path, "rhythm")
            ids, vectors = store.vectors.matrix(MODEL.id, "rhythm")
            np.testing.assert_array_equal(again.ids, store.vectors.matrix(MODEL.id)[0])
            np.testing.assert_array_equal(again.vectors(ids), vectors)

    def test_numpy_knows_it_too(self) -> None:
        index = VectorIndex(np.arange(COUNT), VECTORS, NumpyScan(WIDTH))
        index.remove([3])
        assert_same(index.moments, of_all(np.delete(VECTORS, 3, axis=0)))


class TestMutualProximity:
    def test_by_its_definition(self) -> None:
        mean, deviation = np.nanmean(OTHERS, axis=1), np.nanstd(OTHERS, axis=1)
        chances = ndtr((COSINES - mean[:, None]) / deviation[:, None]) * ndtr((COSINES - mean) / deviation)
        spread = of_all(VECTORS)
        expected = spread.mean + spread.deviation * ndtri(np.sqrt(chances))
        found = mutual_proximity(
            COSINES, spread.similarity_moments(VECTORS), spread.similarity_moments(VECTORS), spread
        )
        off = ~np.eye(COUNT, dtype=bool)
        np.testing.assert_allclose(found[off], expected[off], atol=1e-4)
        np.testing.assert_allclose(found, found.T, atol=1e-9)

    def test_between_average_tracks_it_is_the_cosine(self) -> None:
        spread = of_all(VECTORS)
        average = (np.array([spread.mean]), np.array([spread.deviation]))
        for cosine in (-0.5, 0.0, 0.3, 0.9):
            found = mutual_proximity(np.array([[cosine]]), average, average, spread)
            assert found[0, 0] == pytest.approx(cosine, abs=1e-6)

    def test_near_neighbours_are_told_apart_where_chances_are_one(self) -> None:
        spread = of_all(VECTORS)
        narrow = (np.zeros(1), np.full(1, 0.05))  # 0.9 and 0.95 are 18 and 19 deviations away
        near, nearer = mutual_proximity(np.array([[0.9, 0.95]]), narrow, (np.zeros(2), np.full(2, 0.05)), spread)[0]
        assert nearer > near + 0.1

    def test_tails_and_back(self) -> None:
        z = np.linspace(-7, 30, 50)
        np.testing.assert_allclose(deviations_from(upper_tail(z)), z, atol=1e-4)

    def test_hubs_go(self) -> None:
        spread = of_all(VECTORS)
        corrected = mutual_proximity(
            COSINES, spread.similarity_moments(VECTORS), spread.similarity_moments(VECTORS), spread
        )

        def most_often(similarity: NDArray[np.float64]) -> int:
            nearest = np.argsort(-np.where(np.eye(COUNT, dtype=bool), -np.inf, similarity), axis=1)[:, :10]
            return int(np.bincount(nearest.ravel()).max())

        assert most_often(corrected) < most_often(COSINES) * 0.8
