"""Gradient checkpointing computes twice and learns the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.network.model import FUSIONS
from resonance_engine.training.learning.steps import compute_outputs
from tests.tiny_models import features
from tests.tiny_networks import tiny_network

if TYPE_CHECKING:
    from resonance_engine.network.model import ResonanceNetwork


def learned(network: ResonanceNetwork, recompute: bool) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Outputs and gradients of a batch in training."""
    network.train()
    inputs = [torch.from_numpy(values) for values in features(7).values()]
    results = compute_outputs(network, inputs, recompute)
    weights = [torch.linspace(-1, 1, each.numel()).view_as(each) for each in results]
    torch.autograd.backward(sum((each * weight).sum() for each, weight in zip(results, weights, strict=True)))
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return [each.detach() for each in results], gradients


@pytest.mark.parametrize(
    ("fusion", "backbone"), [(fusion, "plain") for fusion in FUSIONS] + [("gated_add", "residual")]
)
def test_it_learns_the_same(fusion: str, backbone: str) -> None:
    kept, computed_again = (tiny_network(fusion, backbone=backbone) for _ in range(2))
    for plain, again in zip(learned(kept, False), learned(computed_again, True), strict=True):
        assert len(plain) == len(again)
        assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
    moved = False
    for (name, before), (_, after), start in zip(
        kept.named_buffers(),
        computed_again.named_buffers(),
        tiny_network(fusion, backbone=backbone).buffers(),
        strict=True,
    ):
        assert torch.equal(before, after), name
        moved = moved or not torch.equal(before, start)
    assert moved


def test_it_keeps_less() -> None:
    """What autograd saves between the two passes, in numbers."""
    sizes = []
    for recompute in (False, True):
        saved: list[int] = []

        def noted(tensor: torch.Tensor, saved: list[int] = saved) -> torch.Tensor:
            saved.append(tensor.numel())
            return tensor

        network = tiny_network().train()
        with torch.autograd.graph.saved_tensors_hooks(noted, lambda tensor: tensor):
            compute_outputs(network, [torch.from_numpy(values) for values in features(7).values()], recompute)
        sizes.append(sum(saved))
    assert sizes[1] < 0.1 * sizes[0]
