"""Layouts, places of new vectors, clusters and their names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.projection.clusters import (
    MOST,
    UNNAMED,
    Clusters,
    cluster_count,
    compute_centroids,
    join_names,
    name_by_metadata,
    name_by_tags,
    name_by_words,
)
from resonance_engine.projection.layout import compute_layout, count_steps, find_neighbours, principal_components
from resonance_engine.projection.placement import NEIGHBOURS, place_vectors
from tests.embeddings import unit_vectors
from tests.extras import needs_viz

GROUPS, OF_A_GROUP, WIDTH = 4, 25, 16


def grouped_vectors(seed: int = 0) -> np.ndarray:
    """Four groups of 25 unit vectors, one after another."""
    centres = np.repeat(unit_vectors(GROUPS, WIDTH, seed), OF_A_GROUP, axis=0)
    vectors = centres + 0.3 * unit_vectors(GROUPS * OF_A_GROUP, WIDTH, seed + 1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


GROUP = np.repeat(np.arange(GROUPS), OF_A_GROUP)


@needs_viz
class TestLayout:
    def test_groups_stay_together(self) -> None:
        points = compute_layout(grouped_vectors())
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        assert (GROUP[distances.argmin(axis=1)] == GROUP).all()

    def test_the_same_vectors_give_the_same_bytes(self) -> None:
        vectors = grouped_vectors()
        first = compute_layout(vectors)
        assert first.dtype == np.float32
        assert compute_layout(vectors.copy()).tobytes() == first.tobytes()

    @pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 30])
    def test_any_number_of_vectors_has_points(self, count: int) -> None:
        points = compute_layout(unit_vectors(count))
        assert points.shape == (count, 2)
        assert np.isfinite(points).all()

    def test_equal_vectors_have_points(self) -> None:
        points = compute_layout(np.repeat(unit_vectors(1), 40, axis=0))
        assert np.isfinite(points).all()

    def test_progress_reaches_its_end(self) -> None:
        done: list[int] = []
        compute_layout(grouped_vectors(), done.append)
        assert sum(done) == count_steps(GROUPS * OF_A_GROUP)
        assert count_steps(5) == 0

    def test_neighbours_are_the_nearest_others(self) -> None:
        vectors = np.concatenate([unit_vectors(30), unit_vectors(3)])  # the first three twice
        places, distances = find_neighbours(vectors, 5)
        cosines = (vectors @ vectors.T).astype(float)
        np.fill_diagonal(cosines, -np.inf)
        assert np.allclose(1 - distances, -np.sort(-cosines, axis=1)[:, :5], atol=1e-5)
        assert not (places == np.arange(len(vectors))[:, None]).any()

    def test_components_are_those_of_the_greatest_variance(self) -> None:
        vectors = unit_vectors(50).astype(np.float64)
        points = principal_components(vectors)
        values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
        assert np.allclose(np.linalg.norm(points, axis=0), values[:2])


class TestPlacement:
    def test_a_new_vector_lies_amid_its_neighbours(self) -> None:
        vectors = grouped_vectors()
        points = np.stack([10.0 * GROUP, np.arange(len(GROUP)) / 100], axis=1).astype(np.float32)
        placed = place_vectors(
            vectors[::7], np.delete(vectors, np.s_[::7], axis=0), np.delete(points, np.s_[::7], axis=0)
        )
        assert placed[:, 0].tolist() == (10.0 * GROUP[::7]).tolist()

    @given(st.integers(1, 12), st.integers(0, 6))
    def test_it_is_the_median_of_the_nearest(self, mapped: int, new: int) -> None:
        vectors, points = unit_vectors(mapped + new), unit_vectors(mapped, 2, 5)
        order = np.argsort(-(vectors[mapped:] @ vectors[:mapped].T), axis=1)[:, :NEIGHBOURS]
        expected = np.median(points[order], axis=1)
        assert np.allclose(place_vectors(vectors[mapped:], vectors[:mapped], points), expected, atol=1e-6)

    def test_the_others_that_are_new_do_not_matter(self) -> None:
        vectors, points = unit_vectors(30), unit_vectors(20, 2)
        both = place_vectors(vectors[20:], vectors[:20], points)
        assert np.array_equal(both[:1], place_vectors(vectors[20:21], vectors[:20], points))


class TestClusters:
    def test_groups_are_found(self) -> None:
        vectors = grouped_vectors()
        centroids = compute_centroids(vectors)
        assigned = Clusters(centroids, []).assign(vectors)
        assert len({*zip(assigned.tolist(), GROUP.tolist(), strict=True)}) == len(centroids), "none is of two groups"
        assert np.allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
        sizes = np.bincount(assigned)
        assert (np.diff(sizes) <= 0).all(), "the largest first"

    def test_the_same_vectors_give_the_same_clusters(self) -> None:
        vectors = grouped_vectors()
        assert np.array_equal(compute_centroids(vectors), compute_centroids(vectors.copy()))

    @pytest.mark.parametrize("vectors", [unit_vectors(1), unit_vectors(2), np.repeat(unit_vectors(1), 9, axis=0)])
    def test_none_is_empty(self, vectors: np.ndarray) -> None:
        centroids = compute_centroids(vectors)
        assert {*Clusters(centroids, []).assign(vectors).tolist()} == {*range(len(centroids))}

    @given(st.integers(1, 200_000))
    def test_their_number_is_that_of_a_legend_at_most(self, tracks: int) -> None:
        assert 1 <= cluster_count(tracks) <= min(tracks, MOST)


class TestNames:
    TAGS = ("Music", "Guitar", "Electric guitar", "jazz", "Siren")

    def test_they_are_what_is_more_likely_inside(self) -> None:
        tags = np.full((40, 5), 0.001, np.float32)
        tags[:, 0] = np.linspace(0.5, 0.9, 40)
        tags[:20, 1:3] = 0.5
        tags[20:, 3] = 0.4
        tags[25, 4] = 0.9  # on one track alone
        clusters = np.repeat([0, 1], 20)
        assert name_by_tags(clusters, 2, tags, self.TAGS) == [["electric guitar"], ["jazz"]]
        assert name_by_tags(clusters, 3, tags, self.TAGS)[2] == []

    def test_words_are_counted_where_there_are_no_tags(self) -> None:
        words = ["rock", "rock", "", "jazz", "rock", "jazz"]
        assert name_by_words(np.array([0, 0, 0, 1, 1, 1]), 2, words) == [["rock"], ["jazz"]]

    def test_words_of_the_user_are_named_where_they_tell_a_cluster_from_others(self) -> None:
        clusters = np.repeat([0, 1], 10)
        genres = ["rock"] * 6 + ["pop"] * 4 + ["pop"] * 5 + ["jazz"] + [""] * 4
        artists = ["Can"] * 10 + [*"abcdefghij"]
        albums = ["Ege"] * 10 + ["Blue"] * 5 + [*"abcde"]
        names = name_by_metadata(clusters, 2, genres, artists, albums)
        # Can and Ege are just twice as frequent; pop is on half of the second, and on nearly half of all.
        assert names == [["rock", "Can"], ["Blue"]]

    @given(st.lists(st.lists(st.sampled_from(("rock", "jazz", "piano")), max_size=3, unique=True), max_size=20))
    def test_no_two_are_the_same(self, words: list[list[str]]) -> None:
        names = join_names(words)
        assert len({*names}) == len(words)
        assert all(name.startswith(each[0] if each else f"{UNNAMED} ") for name, each in zip(names, words, strict=True))
