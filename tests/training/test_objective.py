"""One number from embeddings, facets, songs and groups, as the settings weigh them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args, get_type_hints

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch
from torch.nn.functional import normalize

from resonance_engine.training.config.settings import TrainSettings
from resonance_engine.training.learning.losses import (
    contrastive,
    objective,
    select_loss,
    supervised_contrastive,
    triplet,
)

if TYPE_CHECKING:
    from torch import Tensor

LOSSES = get_args(get_type_hints(TrainSettings)["loss"])
SONGS = torch.arange(6).repeat_interleave(2)
ALONE = TrainSettings(group_weight=0.0, facet_weight=0.0, margin=0.7, temperature=0.3)


@pytest.fixture
def outputs() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return normalize(torch.randn(12, 5), dim=1), normalize(torch.randn(12, 3, 5), dim=2)


def test_every_loss_of_the_settings_is_known(outputs: tuple[Tensor, Tensor]) -> None:
    expected = {
        "supcon": supervised_contrastive(outputs[0], SONGS, 0.3),
        "triplet": triplet(outputs[0], SONGS, 0.7),
        "contrastive": contrastive(outputs[0], SONGS, 0.7),
    }
    found = {name: select_loss(replace(ALONE, loss=name))(outputs[0], SONGS) for name in LOSSES}
    assert found == expected
    assert len(set(map(float, found.values()))) == 3


@pytest.mark.parametrize("name", LOSSES)
def test_its_parts_are_weighed_as_the_settings_say(outputs: tuple[Tensor, Tensor], name: str) -> None:
    def value(group_weight: float, facet_weight: float) -> float:
        train = replace(ALONE, loss=name, group_weight=group_weight, facet_weight=facet_weight)
        return float(objective(*outputs, SONGS, SONGS // 3, train))

    songs, group = value(0, 0), value(1, 0) - value(0, 0)
    assert group > 0
    assert value(0.5, 0) == pytest.approx(songs + 0.5 * group, rel=1e-5)
    loss = select_loss(replace(ALONE, loss=name))
    facets = sum(float(loss(outputs[1][:, each], SONGS, neutral=SONGS // 3)) for each in range(3))
    assert value(0, 0.3) == pytest.approx(songs + 0.3 * facets, rel=1e-5)
    assert value(0.5, 0.2) > value(0.5, 0)


@pytest.mark.parametrize("name", LOSSES)
def test_what_one_term_draws_the_other_does_not_drive(name: str) -> None:
    """Two recordings of one song on different albums, and two songs of one album: only strangers are driven apart."""
    vectors = normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.3], [-0.9, 0.0]]), dim=1).requires_grad_()
    songs, groups = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 2, 2])
    train = replace(ALONE, loss=name, group_weight=1.0, margin=0.5)
    total = objective(vectors, vectors[:, None], songs, groups, train)
    torch.autograd.backward(total)
    assert vectors.grad is not None
    moved = normalize(vectors.detach() - 0.01 * vectors.grad, dim=1)
    before, after = vectors.detach() @ vectors.detach().T, moved @ moved.T
    assert after[0, 1] >= before[0, 1]
    assert after[2, 3] >= before[2, 3]
