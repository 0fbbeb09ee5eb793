"""Training heads and gates on what was heard: what it may change, what not, and that it gains something."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

import torch
from torch.nn import functional

from tests.training.backbone_activations import PARTS, RECIPE, Activations, make_activations
from tests.training.window_sets import make_window_set
from training.default_model.heads import (
    BATCH,
    facet_slices,
    forward,
    pooled_activations,
    projection,
    restore_inputs,
    set_heads,
    standardise_inputs,
    tune,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from training.default_model.recipe import ModelRecipe


def with_heads(seed: int = 0, apart: float = 1.0) -> Activations:
    given = make_activations(seed, apart=apart)
    set_heads(given.network, given.values, given.of_window, PARTS)
    return given


@torch.no_grad()
def outputs_of(given: Activations) -> tuple[Tensor, Tensor, Tensor]:
    return forward(given.network, {name: torch.from_numpy(values) for name, values in given.values.items()})


def tuned(given: Activations, recipe: ModelRecipe = RECIPE) -> list[float]:
    return tune(given.network, given.values, given.song, given.group, given.artist, recipe)


class TestPooled:
    def test_it_is_what_the_facet_is_made_of(self) -> None:
        network, windows = make_activations().network, make_window_set(songs=7)
        assert len(windows.song) % BATCH
        rows = windows.rows(range(len(windows.song)))
        for name in network.modalities:
            backbone = network.backbones[name]
            found = pooled_activations(backbone, name, windows)
            with torch.inference_mode():
                facets = backbone(torch.from_numpy(rows[name]))
                again = functional.normalize(projection(backbone)(torch.from_numpy(found)), dim=1)
            assert found.dtype == np.float32
            torch.testing.assert_close(again, facets, atol=1e-5, rtol=0)

    def test_afterwards_nobody_listens_any_more(self) -> None:
        network, windows = make_activations().network, make_window_set(songs=1)
        first = pooled_activations(network.backbones["rhythm"], "rhythm", windows)
        network(*(torch.from_numpy(x) for x in windows.rows([0]).values()))
        assert not projection(network.backbones["rhythm"])._forward_hooks
        np.testing.assert_array_equal(pooled_activations(network.backbones["rhythm"], "rhythm", windows), first)


class TestScale:
    @torch.no_grad()
    def test_scaled_activations_give_the_same_and_rescaled_undoes_it(self) -> None:
        given = with_heads()
        before = outputs_of(given)
        tensors = standardise_inputs(given.network, given.values)
        for values in tensors.values():
            torch.testing.assert_close(values[:, 1:].std(dim=0, correction=0), torch.ones(values.shape[1] - 1))
            assert not values[:, 0].any()
        for found, expected in zip(forward(given.network, tensors), before, strict=True):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        restore_inputs(given.network, given.values)
        for found, expected in zip(outputs_of(given), before, strict=True):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)

    def test_no_epochs_change_nothing(self) -> None:
        given = with_heads()
        before = outputs_of(given)
        assert tuned(given, replace(RECIPE, epochs=0)) == []
        for found, expected in zip(outputs_of(given), before, strict=True):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


class TestTune:
    def test_the_loss_falls_and_soundtracks_move_apart(self) -> None:
        given = with_heads(apart=0.2)
        before = outputs_of(given)[0]
        losses = tuned(given, replace(RECIPE, epochs=10))
        assert len(losses) == 10
        assert losses[-1] < 0.7 * losses[0]

        def contrast(embedding: Tensor) -> float:
            similarity = (embedding @ embedding.T).numpy()
            same = given.of_window[:, None] == given.of_window
            return float(similarity[same].mean() - similarity[~same].mean())

        assert contrast(outputs_of(given)[0]) > contrast(before) + 0.2

    def test_the_loss_by_hand(self) -> None:
        """One batch of all songs, with one window each; some artists are on two soundtracks."""
        given = replace(make_activations(3, songs=9, windows=1), artist=np.array([0, 0, 1, 2, 1, 3, 4, 4, 0]))
        set_heads(given.network, given.values, given.of_window, PARTS)
        recipe = replace(RECIPE, epochs=1, batch_songs=9, temperature=0.2, song_weight=0.7, artist_weight=0.4)
        song = np.repeat(np.arange(9), 2)
        embedding = outputs_of(given)[0].double().numpy()[song]
        scores = np.exp(embedding @ embedding.T / 0.2)
        group, artist = given.group[song], given.artist[song]

        def drawn(label: NDArray[np.intp], neutral: NDArray[np.intp]) -> float:
            costs = []
            for i in range(18):
                together = [j for j in range(18) if j != i and label[j] == label[i]]
                apart = [j for j in range(18) if label[j] != label[i] and neutral[j] != neutral[i]]
                total = scores[i, together].sum() + scores[i, apart].sum()
                costs.append(np.mean([-np.log(scores[i, j] / total) for j in together]))
            return float(np.mean(costs))

        expected = drawn(group, artist) + 0.4 * drawn(artist, artist) + 0.7 * drawn(song, group)
        assert tuned(given, recipe) == pytest.approx([expected], rel=1e-4)

    def test_facets_stay_in_their_blocks_and_the_backbones_as_they_are(self) -> None:
        given = with_heads()
        before = {name: values.clone() for name, values in given.network.state_dict().items()}
        tuned(given)
        after = given.network.state_dict()
        assert torch.isfinite(outputs_of(given)[0]).all()
        changed = {name for name, values in after.items() if not torch.equal(values, before[name])}
        parameters = {f"backbones.{name}.project.{each}" for name in PARTS for each in ("weight", "bias")}
        assert changed == parameters | {"fusion.gates.weight", "fusion.gates.bias"}
        for name, where in facet_slices(PARTS).items():
            for each in ("weight", "bias"):
                outside = after[f"backbones.{name}.project.{each}"].clone()
                outside[where] = 0
                assert not outside.any()

    def test_the_seed_alone_decides(self) -> None:
        states = []
        for seed in (0, 0, 1):
            given = with_heads()
            torch.manual_seed(len(states))
            tuned(given, replace(RECIPE, epochs=2, seed=seed))
            states.append(given.network.state_dict())
        first, again, other = states
        assert all(torch.equal(values, again[name]) for name, values in first.items())
        assert not torch.equal(first["backbones.timbre.project.weight"], other["backbones.timbre.project.weight"])

    def test_fewer_songs_than_a_batch_are_one_batch(self) -> None:
        given = with_heads()
        assert len(tuned(given, replace(RECIPE, epochs=1, batch_songs=1000))) == 1

    def test_gates_learn_as_much_faster_as_the_recipe_says(self) -> None:
        """The first step of Adam is the learning rate, whatever the gradient."""
        given = with_heads()
        before = given.network.get_parameter("fusion.gates.bias").detach().clone()
        recipe = replace(RECIPE, epochs=1, batch_songs=1000, lr=1e-4, gate_speed=30.0, weight_decay=0.0)
        tuned(given, recipe)
        moved = (given.network.get_parameter("fusion.gates.bias").detach() - before).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 3e-3), rtol=1e-3, atol=0)
