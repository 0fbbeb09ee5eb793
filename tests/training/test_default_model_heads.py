"""Heads and gates in closed form: what each facet keeps, where it lies in the embedding, and how much of it it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

import torch

from resonance_engine.encoder.manifest import Manifest
from tests.training.backbone_activations import PARTS, make_activations
from training.default_model.heads import facet_slices, fit_head, forward, set_heads, whitening
from training.default_model.recipe import RECIPE, SPEC, FacetRecipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

seeds = st.integers(0, 2**32 - 1)


def grouped(seed: int, size: int = 6, count: int = 60) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Values (n, d) around the means of five groups, correlated and of different size in each direction."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.arange(count) % 5)
    mixing = rng.normal(size=(size, size)) + 3 * np.diag(rng.uniform(1, 4, size))
    return 2 * rng.normal(size=(5, size))[group] + rng.normal(size=(count, size)) @ mixing, group


def within(values: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    """Covariance around the groups' means, brought to a mean variance of 1, one window after the other."""
    total = np.zeros((values.shape[1], values.shape[1]))
    for value, number in zip(values, group, strict=True):
        apart = value - values[group == number].mean(axis=0)
        total += np.outer(apart, apart)
    return total * len(total) / np.trace(total)


def test_the_recipe_fills_the_embedding_with_blocks_that_do_not_overlap() -> None:
    assert list(RECIPE.parts) == list(SPEC.modalities)
    used = [number for where in facet_slices(RECIPE.parts).values() for number in range(where.start, where.stop)]
    assert sorted(used) == list(range(Manifest.dimensions))
    assert {name: where.stop - where.start for name, where in facet_slices(RECIPE.parts).items()} == {
        name: part.width for name, part in RECIPE.parts.items()
    }
    assert sum(part.share for part in RECIPE.parts.values()) == pytest.approx(1)


class TestEvening:
    @given(seeds, st.floats(1e-3, 100))
    @settings(max_examples=30)
    def test_it_is_the_inverse_root_of_what_varies_plus_the_shrinkage(self, seed: int, shrinkage: float) -> None:
        values, group = grouped(seed)
        found = whitening(values, group, shrinkage)
        np.testing.assert_allclose(found, found.T, atol=1e-9)
        assert np.linalg.eigvalsh(found).min() > 0
        shrunk = within(values, group) + shrinkage * np.eye(len(found))
        np.testing.assert_allclose(found @ shrunk @ found, np.eye(len(found)), atol=1e-7)

    def test_without_shrinkage_all_directions_vary_alike(self) -> None:
        values, group = grouped(1)
        assert np.ptp(np.linalg.eigvalsh(within(values, group))) > 1
        np.testing.assert_allclose(within(values @ whitening(values, group, 1e-12), group), np.eye(6), atol=1e-9)

    def test_with_all_shrinkage_directions_stay_as_they_are(self) -> None:
        values, group = grouped(2)
        np.testing.assert_allclose(whitening(values, group, 1e8) * 1e4, np.eye(6), atol=1e-6)

    def test_more_shrinkage_evens_less(self) -> None:
        values, group = grouped(3)
        spreads = []
        for shrinkage in (1e-6, 0.1, 1.0, 10.0, 1e6):
            variances = np.linalg.eigvalsh(within(values @ whitening(values, group, shrinkage), group))
            spreads.append(variances.max() / variances.min())
        assert spreads == sorted(spreads)
        assert spreads[-1] > 2 * spreads[0]

    def test_groups_may_have_any_numbers_and_a_window_that_varies_from_nothing(self) -> None:
        values, group = grouped(4)
        numbers = np.array([7, 0, 1000, 3, 12])[group]
        np.testing.assert_allclose(whitening(values, numbers, 1.0), whitening(values, group, 1.0), atol=1e-12)
        alone = np.vstack([values, 100 * np.ones((1, 6))])
        np.testing.assert_allclose(
            whitening(alone, np.append(group, 5), 1.0), whitening(values, group, 1.0), atol=1e-12
        )


class TestHead:
    @given(seeds, st.floats(0.01, 30))
    @settings(max_examples=30)
    def test_scale_sign_and_offset_of_an_activation_do_not_matter(self, seed: int, shrinkage: float) -> None:
        values, group = grouped(seed)
        rng = np.random.default_rng(seed)
        scale = 10 ** rng.uniform(-1, 3, 6) * rng.choice([-1, 1], 6)
        part = FacetRecipe(4, 1.0, shrinkage)
        similarities = []
        for each in (values, values * scale + rng.uniform(-100, 100, 6)):
            matrix, offset = fit_head(each, group, part)
            assert (matrix.shape, offset.shape) == ((6, 4), (4,))
            projected = each @ matrix + offset
            np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-7)
            similarities.append(projected @ projected.T)
        np.testing.assert_allclose(similarities[1], similarities[0], atol=1e-6)

    def test_what_varies_within_soundtracks_is_evened_out(self) -> None:
        values, group = grouped(5)
        matrix, offset = fit_head(values, group, FacetRecipe(6, 1.0, 1e-12))
        covariance = within(values @ matrix + offset, group)
        np.testing.assert_allclose(covariance, np.eye(6), atol=1e-9)

    @given(seeds, st.floats(0.1, 100))
    @settings(max_examples=20)
    def test_what_an_encoder_changes_counts_among_what_varies(self, seed: int, weight: float) -> None:
        values, group = grouped(seed)
        changed = [values + np.random.default_rng((seed, copy)).normal(size=values.shape) for copy in range(1, 3)]
        matrix, _ = fit_head(values, group, FacetRecipe(6, 1.0, 1e-12, weight), changed)
        apart = values - np.stack([values[group == number].mean(axis=0) for number in range(5)])[group]
        total = apart.T @ apart + weight * sum((each - values).T @ (each - values) for each in changed)
        covariance = matrix.T @ total @ matrix
        np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(6), atol=1e-6)

    def test_without_weight_or_changes_it_is_the_same_map(self) -> None:
        values, group = grouped(7)
        expected = fit_head(values, group, FacetRecipe(4, 1.0, 1.0))
        for found in (
            fit_head(values, group, FacetRecipe(4, 1.0, 1.0), [values + 1e-9]),
            fit_head(values, group, FacetRecipe(4, 1.0, 1.0, 9.0), [values, values]),
        ):
            np.testing.assert_allclose(found[0], expected[0], atol=1e-9)

    def test_it_keeps_the_directions_in_which_most_happens(self) -> None:
        """Two activations in step, and one of its own: one direction is that of the two."""
        rng = np.random.default_rng(0)
        one, other, noise = rng.normal(size=(3, 400))
        values = np.stack([one, 5 * one + 0.1 * noise, other], axis=1)
        matrix, _ = fit_head(values, np.arange(400) % 20, FacetRecipe(1, 1.0, 1.0))
        kept = values @ matrix[:, 0]
        assert abs(np.corrcoef(kept, one)[0, 1]) > 0.99
        assert abs(np.corrcoef(kept, other)[0, 1]) < 0.2

    def test_an_activation_that_never_changes_counts_for_nothing(self) -> None:
        values, group = grouped(6)
        with_constant = np.insert(values, 2, 4.0, axis=1)
        part = FacetRecipe(4, 1.0, 1.0)
        (matrix, offset), (expected, shift) = fit_head(with_constant, group, part), fit_head(values, group, part)
        np.testing.assert_allclose(matrix[2], 0, atol=1e-9)
        projected, plain = with_constant @ matrix + offset, values @ expected + shift
        np.testing.assert_allclose(projected @ projected.T, plain @ plain.T, atol=1e-8)


class TestSetHeads:
    @torch.no_grad()
    def test_each_facet_lies_in_its_block_and_has_its_share_of_every_embedding(self) -> None:
        given = make_activations()
        set_heads(given.network, given.values, given.of_window, PARTS)
        tensors = {name: torch.from_numpy(values) for name, values in given.values.items()}
        embedding, facets, gates = forward(given.network, tensors)
        roots = np.sqrt([part.share for part in PARTS.values()])
        np.testing.assert_allclose(gates, np.tile(roots / roots.sum(), (len(given.song), 1)), atol=1e-6)
        for number, (name, where) in enumerate(facet_slices(PARTS).items()):
            share = embedding[:, where].square().sum(dim=1)
            np.testing.assert_allclose(share, PARTS[name].share, atol=1e-5)
            np.testing.assert_allclose(facets[:, number, where].norm(dim=1), 1, atol=1e-5)
            outside = facets[:, number].clone()
            outside[:, where] = 0
            assert not outside.any()

    @torch.no_grad()
    def test_a_facet_is_the_head_of_what_was_heard(self) -> None:
        given = make_activations(1)
        set_heads(given.network, given.values, given.of_window, PARTS)
        _, facets, _ = forward(given.network, {name: torch.from_numpy(x) for name, x in given.values.items()})
        for number, (name, where) in enumerate(facet_slices(PARTS).items()):
            values = given.values[name].astype(np.float64)
            matrix, offset = fit_head(values, given.of_window, PARTS[name])
            expected = values @ matrix + offset
            expected /= np.linalg.norm(expected, axis=1, keepdims=True)
            np.testing.assert_allclose(facets[:, number, where], expected, atol=2e-4)
