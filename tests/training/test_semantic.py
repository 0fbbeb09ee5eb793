"""What the semantic network makes of a window: patches of 3 s, averaged, and nothing of its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.network.musicnn import FRAMES, POOLED, TAGS
from resonance_engine.network.pretrained import SemanticBackbone

PLAIN, LEVELLED = SemanticBackbone(8, 96), SemanticBackbone(8, 96, "levelled")


@pytest.fixture(scope="module")
def backbone() -> SemanticBackbone:
    torch.manual_seed(0)
    made = SemanticBackbone(8, 96)
    for name, buffer in made.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return made.eval()


def sound(windows: int, frames: int, seed: int = 0) -> torch.Tensor:
    """Log-mel in dB."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(windows, 96, frames, generator=generator) * 80 - 90


def test_decibels_become_what_musicnn_was_trained_with() -> None:
    decibels = sound(3, 40).numpy().astype(np.float64)
    power = 10 ** (decibels / 10)
    level = power.mean(axis=(1, 2), keepdims=True)
    for backbone, evened in ((PLAIN, 0.6), (LEVELLED, 1.0)):
        expected = np.log10(10_000 * power * (0.3 / level) ** evened + 1)
        np.testing.assert_allclose(backbone.prepare(sound(3, 40)), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kind", "part"), [("plain", 0.1), ("levelled", 0.2)])
def test_silence_stays_far_below_music(kind: str, part: float) -> None:
    backbone = SemanticBackbone(8, 96, kind)
    silence, music = (backbone.prepare(x) for x in (torch.full((1, 96, 40), -100.0), sound(1, 40)))
    assert silence.max() < part * music.max()


def test_loudness_counts_little() -> None:
    """6 dB more are heard as 2.4 dB more."""
    plain, loud = (10 ** PLAIN.prepare(sound(1, 40) + gain).double() - 1 for gain in (0, 6))
    audible = plain > 1e-3
    torch.testing.assert_close((loud / plain)[audible], torch.full_like(plain, 10**0.24)[audible], rtol=1e-3, atol=0)


@pytest.mark.parametrize("gain", [-20.0, 20.0])
def test_loudness_does_not_count_where_it_is_levelled(gain: float) -> None:
    torch.testing.assert_close(LEVELLED.prepare(sound(2, 40) + gain), LEVELLED.prepare(sound(2, 40)))
    assert (PLAIN.prepare(sound(2, 40) + gain) - PLAIN.prepare(sound(2, 40))).abs().max() > 0.5


@pytest.mark.parametrize("frames", [1, 40, FRAMES - 1, FRAMES, 2 * FRAMES + 60])
def test_windows_of_any_length(backbone: SemanticBackbone, frames: int) -> None:
    with torch.inference_mode():
        facets, (pooled, tags) = backbone(sound(2, frames)), backbone.pool_and_tag(sound(2, frames))
    assert (facets.shape, pooled.shape, tags.shape) == ((2, 8), (2, POOLED), (2, TAGS))
    torch.testing.assert_close(facets.norm(dim=1), torch.ones(2))
    assert ((tags > 0) & (tags < 1)).all()


def test_a_window_is_the_mean_of_its_patches(backbone: SemanticBackbone) -> None:
    window = sound(1, 2 * FRAMES + 100)
    with torch.inference_mode():
        heard = backbone.prepare(window).transpose(1, 2)
        _, pooled, tags = backbone.trunk(torch.cat([heard[:, :FRAMES], heard[:, FRAMES : 2 * FRAMES]]))
        found = backbone.pool_and_tag(window)
    expected = pooled.mean(dim=0, keepdim=True), torch.sigmoid(tags).mean(dim=0, keepdim=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (pooled[0] - pooled[1]).abs().max() > 1e-2


@pytest.mark.parametrize("patches", [1, 2, 5, 6])
def test_of_a_sparse_window_every_other_patch_counts(patches: int) -> None:
    sparse, window = SemanticBackbone(8, 96, "sparse"), sound(1, patches * FRAMES + 20)
    sparse.load_state_dict(LEVELLED.state_dict())
    with torch.inference_mode():
        prepared = LEVELLED.prepare(window).transpose(1, 2)
        parts = [prepared[:, at * FRAMES : (at + 1) * FRAMES] for at in range(0, patches, 2)]
        _, pooled, tags = LEVELLED.trunk(torch.cat(parts))
        result = sparse.pool_and_tag(window)
    expected = pooled.mean(dim=0, keepdim=True), torch.sigmoid(tags).mean(dim=0, keepdim=True)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_what_does_not_fill_a_patch_is_left_out(backbone: SemanticBackbone) -> None:
    """But for its level: the rest of a window has a part in that."""
    window = sound(1, 2 * FRAMES + 100)
    other = torch.cat([window[:, :, : 2 * FRAMES], window[:, :, 2 * FRAMES :].flip(1, 2)], dim=2)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.pool_and_tag(other), backbone.pool_and_tag(window), atol=1e-5, rtol=1e-5)
        assert (backbone.pool_and_tag(other.flip(2))[0] - backbone.pool_and_tag(window)[0]).abs().max() > 1e-2


def test_a_patch_is_musicnns_by_time_and_band(backbone: SemanticBackbone) -> None:
    window = sound(1, FRAMES)
    with torch.inference_mode():
        _, pooled, tags = backbone.trunk(backbone.prepare(window).transpose(1, 2))
        found = backbone.pool_and_tag(window)
    torch.testing.assert_close(found, (pooled, torch.sigmoid(tags)))


def test_a_window_is_heard_alike_alone_and_among_others(backbone: SemanticBackbone) -> None:
    windows = sound(3, 2 * FRAMES)
    windows[1] += 40
    with torch.inference_mode():
        together, tags = backbone(windows), backbone.pool_and_tag(windows)[1]
        for row in range(3):
            alone = windows[row : row + 1]
            torch.testing.assert_close(backbone(alone)[0], together[row], atol=1e-5, rtol=0)
            torch.testing.assert_close(backbone.pool_and_tag(alone)[1][0], tags[row], atol=1e-5, rtol=0)
    assert (together[0] - together[2]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("bands", "kind", "sentence"),
    [(64, "plain", "takes 96 mel bands, not 64"), (96, "residual", "is plain, levelled, sparse, not residual")],
)
def test_unsupported_bands_and_kinds_raise(bands: int, kind: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SemanticBackbone(8, bands, kind)
