"""Inputs brought to the scale of the training windows, by hand and by the layer."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch
from torch import nn

from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.learning.loop import standardize
from tests.tiny_models import SPEC
from tests.training.window_sets import make_window_set


class Pretrained(nn.Module):
    """A backbone that brings its own normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(20)


def test_a_backbone_hears_its_training_windows_at_mean_0_and_deviation_1() -> None:
    windows = make_window_set()
    network = ResonanceNetwork(tuple(SPEC.modalities), dimensions=8, spec=SPEC)
    standardize(network, windows)
    heard = {name: torch.from_numpy(x) for name, x in windows.rows(range(len(windows.song))).items()}
    heard["timbre"] = (heard["timbre"] - heard["timbre"].amax(dim=(1, 2), keepdim=True)).clamp(min=-80)
    for name, values in heard.items():
        scaled = network.backbones[name].standardize(values).transpose(0, 1).flatten(1)
        torch.testing.assert_close(scaled.mean(dim=1), torch.zeros(len(scaled)), atol=1e-3, rtol=0)
        torch.testing.assert_close(scaled.std(dim=1, correction=0), torch.ones(len(scaled)), atol=1e-3, rtol=0)


def test_a_backbone_with_a_scale_of_its_own_keeps_it() -> None:
    network = ResonanceNetwork(tuple(SPEC.modalities), dimensions=8, spec=SPEC)
    network.backbones["timbre"] = Pretrained()
    before = {name: x.clone() for name, x in network.backbones["timbre"].state_dict().items()}
    rhythm = network.get_buffer("backbones.rhythm.standardize.mean").clone()
    standardize(network, make_window_set())
    for name, values in network.backbones["timbre"].state_dict().items():
        assert torch.equal(values, before[name])
    assert not torch.equal(network.get_buffer("backbones.rhythm.standardize.mean"), rhythm)
