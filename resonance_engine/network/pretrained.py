"""Backbones around pretrained networks: patches of a window through the trunk, pooled, and projected to a facet."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.network import musicnn, yamnet
from resonance_engine.network.standardize import Standardize

NEPER = math.log(10) / 10  # a decibel of power
COMPRESSION = 10_000  # musicnn's scale of power before the logarithm
# Added to variances, whose roots would have no gradient at 0. The ONNX exporter takes 1e-8 for 0 and drops it.
FAINTEST = 1e-7


class Levelling(NamedTuple):
    """The mean power that windows are brought near to, how far, as a power of the ratio, and the lowest to start from.

    Silence, at -100 dB, stays far below music by the last.
    """

    level: float
    evened: float
    quietest: float


SEMANTIC_LEVELS = {
    "plain": Levelling(0.3, 0.6, 1e-9),
    "levelled": Levelling(0.3, 1.0, 1e-7),
    "sparse": Levelling(0.3, 1.0, 1e-7),
}
INSTRUMENTATION_LEVEL = Levelling(5.0, 1.0, 1e-4)  # music of -20 dBFS


PATCH_STEPS = {"plain": 1, "levelled": 1, "sparse": 2}  # of every how many patches one is computed


def bring_near(power: Tensor, levelling: Levelling) -> Tensor:
    """Scale the power of windows (windows, bands, frames) to nearly the same mean."""
    mean = power.mean(dim=(1, 2), keepdim=True).clamp(min=levelling.quietest)
    return power * (levelling.level / mean) ** levelling.evened


class TaggingBackbone(nn.Module):
    """A pretrained trunk that gives activations and tags of patches; a map of the pooled activations gives the facet.

    Input (windows, bands, frames) in dB. An incomplete patch at the end is dropped.
    """

    tags: ClassVar[int]

    def __init__(self, trunk: nn.Module, pooled: int, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        # Channels differ a hundredfold; at one scale, eight bits hold them too.
        self.scale = Standardize(pooled)
        self.project = nn.Linear(pooled, width)

    def pool_and_tag(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pool activations (windows, length) and tag probabilities (windows, tags) over a window's patches."""
        raise NotImplementedError

    def facet(self, pooled: Tensor) -> Tensor:
        """Project pooled activations (windows, length) to unit vectors (windows, width)."""
        return functional.normalize(self.project(self.scale(pooled)), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.facet(self.pool_and_tag(x)[0])


def cut_patches(x: Tensor, frames: int, step: int = 1) -> tuple[Tensor, int]:
    """Cut (windows, bands, frames) into patches side by side, (windows * count, frames, bands), and count them.

    Of every `step` patches of a window the first is taken. A window that is shorter than a patch is one.
    """
    bands, length = x.shape[1], min(frames, x.shape[2])
    whole = x.shape[2] // length
    patches = x[:, :, : whole * length].reshape(-1, bands, whole, length)[:, :, ::step]
    return patches.permute(0, 2, 3, 1).flatten(0, 1), -(-whole // step)


class SemanticBackbone(TaggingBackbone):
    """Semantics, with tags: patches of 3 s through `MusiCNN`, averaged over the window.

    96 bands, 62.5 frames a second. In the kind "plain" loudness counts little: a window 6 dB louder than another
    enters 2.4 dB louder. In the kind "levelled" it does not count, down to noise of -78 dBFS, nor in the kind "sparse",
    which takes every other patch.
    """

    tags = musicnn.TAGS

    def __init__(self, width: int, bands: int, kind: str = "plain") -> None:
        if bands != musicnn.BANDS:
            raise ValueError(f"the semantic network takes {musicnn.BANDS} mel bands, not {bands}")
        if kind not in SEMANTIC_LEVELS:
            raise ValueError(f"the semantic network is {', '.join(SEMANTIC_LEVELS)}, not {kind}")
        super().__init__(musicnn.MusiCNN(), musicnn.POOLED, width)
        self.levelling, self.step = SEMANTIC_LEVELS[kind], PATCH_STEPS[kind]

    def prepare(self, x: Tensor) -> Tensor:
        """Convert decibels to log10(10000 p + 1) of the power p, musicnn's input, at nearly the same level."""
        return torch.log1p(bring_near(torch.exp(x * NEPER), self.levelling) * COMPRESSION) / math.log(10)

    def pool_and_tag(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Average pooled activations (windows, 1506) and tag probabilities (windows, 50) over a window's patches."""
        patches, count = cut_patches(self.prepare(x), musicnn.FRAMES, self.step)
        _, pooled, tags = self.trunk(patches)
        parts = (pooled, torch.sigmoid(tags))
        pooled, tags = (each.reshape(-1, count, each.shape[1]).mean(dim=1) for each in parts)
        return pooled, tags


class InstrumentationBackbone(TaggingBackbone):
    """Instruments, voices and other sources of sound, with tags: patches of 0.96 s through `YAMNet`.

    64 bands, 100 frames a second. Loudness does not count, down to music of -67 dBFS. The kind "sparse" takes every
    other patch.
    """

    tags = yamnet.CLASSES

    def __init__(self, width: int, bands: int, kind: str = "plain") -> None:
        if bands != yamnet.BANDS:
            raise ValueError(f"the instrumentation network takes {yamnet.BANDS} mel bands, not {bands}")
        if kind not in ("plain", "sparse"):
            raise ValueError(f"the instrumentation network is plain or sparse, not {kind}")
        super().__init__(yamnet.YAMNet(), yamnet.POOLED + yamnet.VARYING, width)
        self.step = PATCH_STEPS[kind]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Convert decibels to ln(m + 0.001) of the magnitude m, YAMNet's input, at the same level for all windows."""
        return torch.log(bring_near(torch.exp(x * NEPER), INSTRUMENTATION_LEVEL).sqrt() + yamnet.OFFSET)

    def pool_and_tag(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return moments of activations (windows, 4352) and mean class probabilities (windows, 521) over the patches.

        The moments are the means of all activations, then the deviations of the lower three layers'. Those of the upper
        two bring nothing.
        """
        patches, count = cut_patches(self.prepare(x), yamnet.FRAMES, self.step)
        pooled, classes = self.trunk(patches)
        pooled = pooled.reshape(-1, count, pooled.shape[1])
        mean = pooled.mean(dim=1)
        varying, centre = pooled[:, :, : yamnet.VARYING], mean[:, : yamnet.VARYING]
        deviation = ((varying - centre.unsqueeze(1)).square().mean(dim=1) + FAINTEST).sqrt()
        tags = torch.sigmoid(classes).reshape(-1, count, classes.shape[1]).mean(dim=1)
        return torch.cat([mean, deviation], dim=1), tags
