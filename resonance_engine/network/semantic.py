"""The backbone of the semantic modality: a network pretrained on tagging songs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.network.musicnn import BANDS, FRAMES, POOLED, MusiCNN
from resonance_engine.network.standardize import Standardize

LEVEL, EVENED = 0.3, 0.6  # the mean power that windows are brought near to, and how far, as a power of the ratio
QUIETEST = 1e-9
NEPER = math.log(10) / 10  # a decibel of power
COMPRESSION = 10_000  # musicnn's scale of power before the logarithm


class SemanticBackbone(nn.Module):
    """Semantics, with tags: patches of 3 s through `MusiCNN`, averaged over the window.

    Input (windows, 96 bands, frames) in dB, 62.5 frames a second. An incomplete patch at the end is dropped. Loudness
    counts little: a window 6 dB louder than another enters 2.4 dB louder.
    """

    def __init__(self, width: int, bands: int, kind: str = "plain") -> None:
        if bands != BANDS:
            raise ValueError(f"the semantic network hears {BANDS} mel bands, not {bands}")
        if kind != "plain":
            raise ValueError(f"the semantic network is plain, not {kind}")
        super().__init__()
        self.trunk = MusiCNN()
        # Channels differ a hundredfold; at one scale, eight bits hold them too.
        self.scale = Standardize(POOLED)
        self.project = nn.Linear(POOLED, width)

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Convert decibels to log10(10000 p + 1) of the power p, musicnn's input, at nearly the same level."""
        power = torch.exp(x * NEPER)
        level = power.mean(dim=(1, 2), keepdim=True).clamp(min=QUIETEST)
        return torch.log1p(power * (LEVEL / level) ** EVENED * COMPRESSION) / math.log(10)

    def pool_and_tag(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Average pooled activations (windows, 1506) and tag probabilities (windows, 50) over a window's patches."""
        length = min(FRAMES, x.shape[2])
        count = x.shape[2] // length
        patches = self.prepare(x)[:, :, : count * length].reshape(-1, BANDS, count, length)
        patches = patches.permute(0, 2, 3, 1).flatten(0, 1)
        _, pooled, tags = self.trunk(patches)
        parts = (pooled, torch.sigmoid(tags))
        pooled, tags = (each.reshape(-1, count, each.shape[1]).mean(dim=1) for each in parts)
        return pooled, tags

    def facet(self, pooled: Tensor) -> Tensor:
        return functional.normalize(self.project(self.scale(pooled)), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.facet(self.pool_and_tag(x)[0])
