"""YAMNet in PyTorch computes what its description says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.network.yamnet import BANDS, FRAMES, POOLED, TAPPED, SameConvolution, YAMNet, state_of
from tests.training.yamnet_reference import class_logits, convolve, random_variables, separable_outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

VARIABLES = random_variables()


@pytest.fixture(scope="module")
def network() -> YAMNet:
    network = YAMNet()
    network.load_state_dict(state_of(VARIABLES))
    return network


def patches(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).uniform(-6.9, 2, (count, FRAMES, BANDS)).astype(np.float32)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(6, 4), (5, 4), (6, 3), (7, 5), (1, 2), (2, 1)])
@torch.no_grad()
def test_padding_is_tensorflows(height: int, width: int, stride: int, depthwise: bool) -> None:
    torch.manual_seed(0)
    inputs, outputs = (4, 4) if depthwise else (3, 5)
    layer = SameConvolution(inputs, outputs, stride, groups=inputs if depthwise else 1)
    assert layer.convolution.bias is not None
    layer.convolution.bias += 1  # so that the ReLU leaves some
    x = torch.randn(2, inputs, height, width)
    weight = layer.convolution.weight.double().numpy()
    kernel = weight.transpose(2, 3, 0, 1) if depthwise else weight.transpose(2, 3, 1, 0)
    for row in range(2):
        found = layer(x)[row].permute(1, 2, 0)
        expected = convolve(x[row].double().permute(1, 2, 0).numpy(), kernel, stride, depthwise)
        expected = np.maximum(expected + layer.convolution.bias.numpy(), 0)
        assert expected.max() > 0.1
        np.testing.assert_allclose(found, expected, atol=1e-5)


@torch.inference_mode()
def test_it_is_the_description_layer_by_layer(network: YAMNet) -> None:
    """The norms, which are part of the convolutions here, apart; in double precision."""
    inputs = patches(2)
    pooled, classes = network(torch.from_numpy(inputs))
    assert pooled.shape == (2, POOLED)
    for row, patch in enumerate(inputs):
        layers = separable_outputs(patch.astype(np.float64), VARIABLES)
        expected = np.concatenate([layers[number - 1].mean(axis=(0, 1)) for number in TAPPED])
        assert 0.01 < expected.std() < 100
        np.testing.assert_allclose(pooled[row], expected, atol=1e-4 * expected.max(), rtol=1e-3)
        logits = class_logits(layers[-1], VARIABLES)
        np.testing.assert_allclose(classes[row], logits, atol=1e-4 * np.abs(logits).max(), rtol=1e-3)


@torch.inference_mode()
def test_a_patch_is_classified_alike_alone_and_among_others(network: YAMNet) -> None:
    inputs = torch.from_numpy(patches(3))
    together, alone = network(inputs), network(inputs[1:2])
    for whole, single in zip(together, alone, strict=True):
        torch.testing.assert_close(whole[1:2], single, atol=1e-4, rtol=1e-4)
        assert (whole[0] - whole[1]).abs().max() > 1e-2


@torch.inference_mode()
def test_folded_norms_are_torchs() -> None:
    """A convolution and PyTorch's own batch norm, against the layer with both in one."""
    state = state_of(VARIABLES)
    variables = {name: torch.from_numpy(values) for name, values in VARIABLES.items()}
    x = torch.randn(3, 32, 9, 8)
    plain = torch.nn.functional.conv2d(x, variables["4/kernel"].permute(3, 2, 0, 1))
    mean, variance, beta = (variables[f"5/{part}"] for part in ("moving_mean", "moving_variance", "beta"))
    expected = torch.nn.functional.batch_norm(plain, mean, variance, None, beta, eps=1e-4)
    folded = torch.nn.functional.conv2d(x, state["blocks.0.pointwise.weight"], state["blocks.0.pointwise.bias"])
    torch.testing.assert_close(folded, expected, atol=1e-4, rtol=1e-4)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(KeyError, match="51/beta"):
        state_of({name: values for name, values in VARIABLES.items() if name != "51/beta"})
