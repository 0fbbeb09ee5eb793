"""The instrumentation network: patches of 0.96 s, their mean and deviation, whatever the level."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.network.pretrained import FAINTEST, InstrumentationBackbone
from resonance_engine.network.yamnet import CLASSES, FRAMES, POOLED, VARYING, state_of
from tests.training.yamnet_reference import random_variables


@pytest.fixture(scope="module")
def backbone() -> InstrumentationBackbone:
    torch.manual_seed(0)
    backbone = InstrumentationBackbone(8, 64)
    backbone.trunk.load_state_dict(state_of(random_variables()))
    return backbone.eval()


def sound(windows: int, frames: int, seed: int = 0) -> torch.Tensor:
    """Mel spectrograms in dB, -60 to 20."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(windows, 64, frames, generator=generator) * 80 - 60


def test_decibels_become_what_yamnet_was_trained_with() -> None:
    magnitude = 10 ** (sound(3, 40).numpy().astype(np.float64) / 20)
    level = np.sqrt(np.square(magnitude).mean(axis=(1, 2), keepdims=True))
    expected = np.log(magnitude * (np.sqrt(5.0) / level) + 0.001)
    np.testing.assert_allclose(InstrumentationBackbone.prepare(sound(3, 40)), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gain", [-20.0, -13.0, 20.0])
@torch.inference_mode()
def test_level_does_not_count(backbone: InstrumentationBackbone, gain: float) -> None:
    window = sound(2, 2 * FRAMES)
    for found, expected in zip(backbone.pool_and_tag(window + gain), backbone.pool_and_tag(window), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(backbone(window + gain), backbone(window), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_silence_is_yamnets_silence(backbone: InstrumentationBackbone) -> None:
    """Near ln 0.001, and nothing that is not finite."""
    silence = torch.full((1, 64, 2 * FRAMES), -100.0)
    np.testing.assert_allclose(backbone.prepare(silence), np.log(0.001 + 1e-5 * np.sqrt(5.0 / 1e-4)), atol=1e-4)
    assert backbone.prepare(sound(1, 40)).max() > -1
    for values in (backbone(silence), *backbone.pool_and_tag(silence)):
        assert torch.isfinite(values).all()


@pytest.mark.parametrize("frames", [1, 40, FRAMES - 1, FRAMES, 3 * FRAMES + 50])
@torch.inference_mode()
def test_windows_of_any_length(backbone: InstrumentationBackbone, frames: int) -> None:
    facets, (pooled, tags) = backbone(sound(2, frames)), backbone.pool_and_tag(sound(2, frames))
    assert (facets.shape, pooled.shape, tags.shape) == ((2, 8), (2, POOLED + VARYING), (2, CLASSES))
    torch.testing.assert_close(facets.norm(dim=1), torch.ones(2))
    assert ((tags >= 0) & (tags <= 1)).all()
    assert tags.std() > 0.01


@torch.inference_mode()
def test_a_window_is_mean_and_deviation_of_its_patches(backbone: InstrumentationBackbone) -> None:
    window = sound(1, 3 * FRAMES + 50)
    frames = backbone.prepare(window).transpose(1, 2)
    pooled, classes = backbone.trunk(
        torch.cat([frames[:, place * FRAMES : (place + 1) * FRAMES] for place in range(3)])
    )
    found, tags = backbone.pool_and_tag(window)
    activations = pooled.double().numpy()
    deviations = np.sqrt(activations.var(axis=0)[:VARYING] + FAINTEST)
    expected = np.concatenate([activations.mean(axis=0), deviations])
    np.testing.assert_allclose(found[0], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tags[0], torch.sigmoid(classes).mean(dim=0), atol=1e-5, rtol=1e-4)
    assert expected[POOLED:].max() > 1e-2


@torch.inference_mode()
def test_of_a_sparse_window_every_other_patch_counts(backbone: InstrumentationBackbone) -> None:
    sparse, window = InstrumentationBackbone(8, 64, "sparse"), sound(1, 5 * FRAMES + 50)
    sparse.load_state_dict(backbone.state_dict())
    frames = backbone.prepare(window).transpose(1, 2)
    pooled, classes = backbone.trunk(torch.cat([frames[:, at * FRAMES : (at + 1) * FRAMES] for at in (0, 2, 4)]))
    result, tags = sparse.pool_and_tag(window)
    torch.testing.assert_close(result[0, :POOLED], pooled.mean(dim=0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tags[0], torch.sigmoid(classes).mean(dim=0), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_window_is_embedded_alike_alone_and_among_others(backbone: InstrumentationBackbone) -> None:
    windows = sound(3, 2 * FRAMES)
    windows[1] += 30
    together = backbone(windows)
    for row in range(3):
        torch.testing.assert_close(backbone(windows[row : row + 1])[0], together[row], atol=1e-5, rtol=0)
    assert (together[0] - together[2]).abs().max() > 1e-4


def test_a_single_patch_has_a_gradient() -> None:
    """Its activations do not vary, and the root of their variance is taken."""
    trained = InstrumentationBackbone(8, 64)
    trained(sound(1, FRAMES)).sum().backward()
    gradients = {name: each.grad for name, each in trained.named_parameters() if not name.startswith("trunk.classes")}
    for name, gradient in gradients.items():
        assert gradient is not None, name
        assert torch.isfinite(gradient).all(), name


@pytest.mark.parametrize(
    ("bands", "kind", "sentence"),
    [(96, "plain", "takes 64 mel bands, not 96"), (64, "levelled", "is plain or sparse, not levelled")],
)
def test_unsupported_bands_and_kinds_raise(bands: int, kind: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        InstrumentationBackbone(8, bands, kind)
