"""A few seconds of training: it learns, it can be repeated, and its input is standardised by what it was shown."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.training.augment import Augmentation
from resonance_engine.training.dataset import WindowSet
from resonance_engine.training.features import CachedFeatures
from resonance_engine.training.loop import Epoch, Recipe, gate_entropy, loss_of, rate, train
from resonance_engine.training.start import standardize
from tests.tiny_models import SPEC
from tests.tiny_networks import tiny_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

SONGS, WINDOWS = 12, 3
RECIPE = Recipe(epochs=6, warmup_epochs=1, songs=6, frames=30, lr=3e-3, augmentation=Augmentation(curve_db=1.0))


class Song(CachedFeatures):
    """Windows around a sound of the song's own."""

    def read(self) -> dict[str, NDArray[np.float16]]:
        random = np.random.default_rng(int(self.path.name))
        made = {}
        for name, each in SPEC.modalities.items():
            shape = each.shape(SPEC.decoding)
            own = random.random((1, *shape[:1], *(1 for _ in shape[1:])))
            values = 0.7 * own + 0.3 * random.random((WINDOWS, *shape))
            made[name] = (80 * values - 90 if name == "timbre" else values).astype(np.float16)
        return made


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> WindowSet:
    folder = tmp_path_factory.mktemp("songs")
    return WindowSet([Song(folder / str(i)) for i in range(SONGS)], [str(i // 3) for i in range(SONGS)])


def trained(windows: WindowSet, recipe: Recipe) -> tuple[dict[str, torch.Tensor], list[Epoch]]:
    epochs: list[Epoch] = []
    network = train(tiny_network(), windows, recipe, epochs.append)
    assert not network.training
    return network.state_dict(), epochs


def test_it_learns_and_can_be_repeated(windows: WindowSet) -> None:
    first, epochs = trained(windows, RECIPE)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    assert all(0 <= epoch.gate_entropy <= 1 for epoch in epochs)
    again, repeated = trained(windows, RECIPE)
    assert repeated == epochs
    assert all(torch.equal(values, again[name]) for name, values in first.items())
    other, _ = trained(windows, replace(RECIPE, seed=1, epochs=1))
    assert any(not torch.equal(values, other[name]) for name, values in first.items())


def test_a_batch_larger_than_the_set_still_trains(windows: WindowSet) -> None:
    before = tiny_network().state_dict()
    after, (epoch,) = trained(windows.subset(np.array([0, 1])), replace(RECIPE, songs=64, epochs=1))
    assert math.isfinite(epoch.loss)
    assert any(not torch.equal(values, after[name]) for name, values in before.items())


class TestLoss:
    @pytest.fixture
    def losses(self, windows: WindowSet) -> dict[str, float]:
        network = tiny_network()
        (batch,) = windows.epoch(SONGS, 2, 30, RECIPE.augmentation, np.random.default_rng(0))
        kinds: dict[str, dict[str, Any]] = {
            "songs": {"group_weight": 0.0, "facet_weight": 0.0},
            "groups": {"group_weight": 1.0, "facet_weight": 0.0},
            "half": {"group_weight": 0.5, "facet_weight": 0.0},
            "facets": {"group_weight": 0.0, "facet_weight": 1.0},
            "all": {"group_weight": 0.5, "facet_weight": 0.2},
        }
        with torch.no_grad():
            return {name: float(loss_of(network, batch, replace(RECIPE, **kind))[0]) for name, kind in kinds.items()}

    def test_its_parts_are_weighed_as_the_recipe_says(self, losses: dict[str, float]) -> None:
        group = losses["groups"] - losses["songs"]
        assert group > 0
        assert losses["half"] == pytest.approx(losses["songs"] + 0.5 * group, rel=1e-5)
        assert losses["facets"] > losses["songs"]
        assert losses["all"] > losses["half"]


def test_standardised_features_have_mean_zero_and_deviation_one(windows: WindowSet) -> None:
    network = tiny_network()
    standardize(network, windows)
    for name in network.modalities:
        backbone: Any = network.backbones[name]
        values = torch.from_numpy(windows.features[name].astype(np.float32))
        if name == "timbre":
            values = backbone.prepare(values)
        bands = backbone.standardize(values).transpose(0, 1).flatten(1)
        torch.testing.assert_close(bands.mean(dim=1), torch.zeros(len(bands)), atol=1e-3, rtol=0)
        torch.testing.assert_close(bands.std(dim=1, correction=0), torch.ones(len(bands)), atol=1e-3, rtol=0)


def test_a_band_that_never_changes_is_not_blown_up(windows: WindowSet) -> None:
    part = windows.subset(np.array([0]))
    part.features = {name: values[:1] for name, values in part.features.items()}
    part.song, part.first = part.song[:1], np.array([0, 1])
    network = tiny_network()
    standardize(network, part)
    backbone: Any = network.backbones["rhythm"]
    deviation = backbone.standardize.deviation
    assert torch.isfinite(deviation).all()
    assert deviation.min() >= 1e-3


def test_the_rate_warms_up_and_cools_down() -> None:
    recipe = Recipe(epochs=13, warmup_epochs=3)
    rates = [rate(epoch, recipe) for epoch in range(14)]
    assert rates[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert rates[8] == pytest.approx(0.01 + 0.99 / 2)
    assert rates[13] == pytest.approx(0.01)
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rate(0, Recipe(epochs=1, warmup_epochs=0)) == 1.0


@pytest.mark.parametrize(
    ("gates", "entropy"),
    [
        ([[1 / 3, 1 / 3, 1 / 3]], 1.0),
        ([[1.0, 0.0, 0.0]], 0.0),
        ([[0.5, 0.5, 0.0]], math.log(2) / math.log(3)),
        ([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], 0.5),
        ([[1.0]], 1.0),
    ],
)
def test_entropy_of_gates(gates: list[list[float]], entropy: float) -> None:
    assert gate_entropy(torch.tensor(gates)) == pytest.approx(entropy, abs=1e-5)
