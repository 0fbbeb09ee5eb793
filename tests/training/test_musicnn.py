"""The network of musicnn computes what its layers say, by whatever shorter way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch
from torch import Tensor
from torch.nn import functional

from resonance_engine.network.musicnn import (
    BANDS,
    CHANNELS,
    FRAMES,
    LANES,
    AcrossFrequency,
    MusiCNN,
    frames_side_by_side,
)

if TYPE_CHECKING:
    from torch import nn

KERNELS = [(7, 38), (7, 67), (128, 1), (64, 1), (32, 1)]
SCALES = [(3, 1), (16, 4), (23, 2)]


def with_statistics(network: nn.Module, seed: int) -> None:
    """Random weights, with norms of both signs as the published ones have them."""
    generator = torch.Generator().manual_seed(seed)
    for name, values in network.state_dict().items():
        if name.endswith(("running_mean", "norm.weight", "norm.bias")):
            values.copy_(torch.randn(values.shape, generator=generator) / 2)
            values[0] = -values[0].abs()
        elif name.endswith("running_var"):
            values.copy_(torch.rand(values.shape, generator=generator) + 0.5)


def plain_across_frequency(part: AcrossFrequency, x: Tensor) -> Tensor:
    """Convolution, ReLU, norm and maximum of all filters, one after the other."""
    taps = part.convolution.kernel_size[0]
    padded = functional.pad(x, (0, 0, (taps - 1) // 2, taps // 2))
    answers: Tensor = part.norm(functional.relu(part.convolution(padded)))
    return answers.amax(dim=3)


def plain(network: MusiCNN, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The network as it was published: every filter of every layer."""
    x = network.norm(patches[:, None])
    parts = [*network.timbral, *network.temporal]
    dense = [torch.cat([plain_across_frequency(part, x) for part in parts], dim=1)]
    current: Tensor | float = 0.0
    for layer in network.middle:
        answers = layer.norm(functional.relu(layer.convolution(dense[0] if len(dense) == 1 else current)))
        current = current + answers
        dense.append(current)
    channels = torch.cat(dense, dim=1)
    pooled = torch.stack([channels.amax(dim=2), channels.mean(dim=2)], dim=2).flatten(1)
    hidden = network.hidden_norm(functional.relu(network.hidden(network.pooled_norm(pooled))))
    return hidden, pooled, network.tags(hidden)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("filters", "stride"), SCALES)
@torch.no_grad()
def test_filters_side_by_side_answer_as_one_by_one(kernel: tuple[int, int], filters: int, stride: int) -> None:
    torch.manual_seed(filters)
    part = AcrossFrequency(filters, kernel, stride).eval()
    with_statistics(part, seed=stride)
    for length in (FRAMES, 150):
        x = torch.randn(2, 1, length, BANDS)
        torch.testing.assert_close(part(x), plain_across_frequency(part, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("filters", "taps", "frames"), [(3, 128, 5), (23, 7, 2), (16, 7, 1), (204, 7, 1)])
def test_frames_fill_the_lanes_that_filters_leave(filters: int, taps: int, frames: int) -> None:
    assert frames_side_by_side(filters, taps) == frames
    assert -(-filters * frames // LANES) * (taps + frames - 1) / frames <= -(-filters // LANES) * taps


@pytest.fixture(scope="module")
def patches() -> Tensor:
    return torch.rand(2, FRAMES, BANDS, generator=torch.Generator().manual_seed(1)) * 4


@torch.no_grad()
def test_silent_filters_are_left_out_and_nothing_changes(patches: Tensor) -> None:
    torch.manual_seed(0)
    trained, network = MusiCNN(4), MusiCNN(4)
    with_statistics(trained, seed=0)
    state = trained.state_dict()
    for number, kept in enumerate((3, 5)):
        name = f"timbral.{number}"
        state[f"{name}.convolution.weight"][kept:] *= 1e-11
        state[f"{name}.norm.bias"][kept:] = 1e-6
        # ReLU of the bias is what the norm subtracts, up to its shift: what is left is next to nothing.
        state[f"{name}.norm.running_mean"][kept:] = state[f"{name}.convolution.bias"][kept:].relu()
    # Vanished weights with a loud answer of their own.
    state["timbral.1.norm.bias"][9] = 1.0
    network.load_state_dict(state)
    assert network.timbral[0].active.tolist() == [0, 1, 2]
    assert network.timbral[1].active.tolist() == [0, 1, 2, 3, 4, 9]
    assert len(network.active) == 9 + 3 * 51
    for found, expected in zip(network(patches), plain(network, patches), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    silent = network(patches)[1].reshape(2, CHANNELS, 2)[:, 3:204]
    assert silent.abs().max() == 0


@torch.no_grad()
def test_a_part_of_silent_filters_alone_still_runs(patches: Tensor) -> None:
    network = MusiCNN(8)
    state = {name: torch.zeros_like(values) for name, values in network.state_dict().items()}
    network.load_state_dict(state)
    assert [len(part.active) for part in (*network.timbral, *network.temporal)] == [1] * 5
    assert all(output.abs().max() == 0 for output in network(patches))


@torch.no_grad()
def test_without_silent_filters_all_are_computed(patches: Tensor) -> None:
    torch.manual_seed(2)
    network = MusiCNN(8)
    with_statistics(network, seed=2)
    network.load_state_dict(network.state_dict())
    assert network.active.tolist() == list(range(561))
    for found, expected in zip(network(patches), plain(network, patches), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_what_is_left_out_is_no_part_of_the_state() -> None:
    names = set(MusiCNN(8).state_dict())
    assert not any(name.endswith(("heard", "place")) for name in names)


def test_training_leaves_the_statistics_of_the_norms(patches: Tensor) -> None:
    network = MusiCNN(8).train()
    before = {name: values.clone() for name, values in network.named_buffers()}
    hidden, _, _ = network(patches)
    hidden.square().sum().backward()
    assert all(torch.equal(values, before[name]) for name, values in network.named_buffers())
    gradient = network.timbral[0].convolution.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
