"""The backbones, one per modality: features of windows -> facets, unit vectors.

A backbone is registered under the name of its modality; it takes that modality's feature array and gives
(windows, width) vectors of length one, so that the gates of the fusion weigh directions and not magnitudes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.network.pretrained import InstrumentationBackbone, SemanticBackbone
from resonance_engine.network.standardize import Standardize

if TYPE_CHECKING:
    from collections.abc import Callable

DYNAMIC_RANGE_DB, ENVELOPE_RANGE_DB = 80.0, 40.0
FREQUENCIES = 5  # parts of the spectrum whose patterns are pooled separately
Stride = tuple[int, int]


def moments(x: Tensor) -> Tensor:
    """Return mean and standard deviation over time: (windows, channels, time) -> (windows, 2 * channels)."""
    mean = x.mean(dim=-1)
    variance = (x - mean.unsqueeze(-1)).square().mean(dim=-1)
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


def below_loudest(x: Tensor, reach: float) -> Tensor:
    """Return decibels (windows, bands, frames) below the loudest cell of each window, at most `reach` of them."""
    return (x - x.amax(dim=(1, 2), keepdim=True)).clamp(min=-reach)


class Spectral(nn.Sequential):
    """Convolution over bands and frames, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: Stride) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )


class Circular(nn.Sequential):
    """The same over pitch classes and frames, where the octave is a circle."""

    def __init__(self, inputs: int, outputs: int, stride: Stride) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 5, stride=stride, padding=(0, 2), bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[:, :, -2:], x, x[:, :, :2]], dim=2)
        for layer in self:
            x = layer(x)
        return x


class Residual(nn.Module):
    """Two layers of a kind, and a shortcut past them (He et al. 2016); the first takes the strides."""

    def __init__(self, layer: type[Spectral | Circular], inputs: int, outputs: int, stride: Stride) -> None:
        super().__init__()
        self.first = layer(inputs, outputs, stride)
        self.second = layer(outputs, outputs, (1, 1))
        del self.second[2]  # the ReLU comes after the sum
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.shortcut(x))


class ResidualLinear(nn.Module):
    """The same for fully connected layers, of one width throughout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + x)


def stage(kind: str, layer: type[Spectral | Circular], inputs: int, outputs: int, stride: Stride) -> nn.Module:
    """Return one step of a CNN: a layer (`plain`), or two with a shortcut (`residual`)."""
    return Residual(layer, inputs, outputs, stride) if kind == "residual" else layer(inputs, outputs, stride)


class TimbreBackbone(nn.Module):
    """Timbre: a CNN over log-mel, beside the spectral envelope's own moments.

    Input (windows, mels, frames) in dB. Invariant to level: the loudest cell of a window is its 0 dB, and 80 dB below
    is silence.
    """

    def __init__(
        self, width: int, bands: int, kind: str = "plain", channels: tuple[int, ...] = (16, 32, 64, 128)
    ) -> None:
        super().__init__()
        self.standardize = Standardize(bands, mean=-50.0, deviation=15.0)
        pairs = zip((1, *channels), channels, strict=False)
        self.layers = nn.Sequential(*(stage(kind, Spectral, inputs, outputs, (2, 2)) for inputs, outputs in pairs))
        rows = -(-bands // 2 ** len(channels))
        pooled = max(1, rows // FREQUENCIES)
        self.pool = nn.AvgPool2d((pooled, 1))
        self.project = nn.Linear(2 * channels[-1] * (rows // pooled) + 2 * bands, width)

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return decibels below the loudest cell of each window, down to silence."""
        return below_loudest(x, DYNAMIC_RANGE_DB)

    def forward(self, x: Tensor) -> Tensor:
        x = self.standardize(self.prepare(x))
        patterns = self.pool(self.layers(x.unsqueeze(1))).flatten(1, 2)
        return functional.normalize(self.project(torch.cat([moments(patterns), moments(x)], dim=1)), dim=1)


class EnvelopeBackbone(nn.Module):
    """Timbre by the spectral envelope alone: moments over time of log-mel (windows, mels, frames) in dB.

    Invariant to level, as `TimbreBackbone`; silence begins 40 dB below the loudest cell, since lossy encoders discard
    what lies deeper.
    """

    def __init__(self, width: int, bands: int) -> None:
        super().__init__()
        self.standardize = Standardize(bands, mean=-50.0, deviation=15.0)
        self.project = nn.Linear(2 * bands, width)

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return decibels below the loudest cell of each window, down to silence."""
        return below_loudest(x, ENVELOPE_RANGE_DB)

    def forward(self, x: Tensor) -> Tensor:
        x = self.standardize(self.prepare(x))
        return functional.normalize(self.project(moments(x)), dim=1)


class HarmonyBackbone(nn.Module):
    """Harmony in any key: a CNN that wraps around the octave.

    Input (windows, bins of an octave, frames). Patterns are pooled over all rotations (a transposed song keeps its
    facet), beside a part that depends on the key.
    """

    def __init__(self, width: int, bins: int, kind: str = "plain", channels: tuple[int, ...] = (16, 32, 64)) -> None:
        super().__init__()
        self.standardize = Standardize(bins, mean=0.3, deviation=0.3)
        strides = ((1, 2), (1, 3), (1, 3))
        pairs = zip((1, *channels), channels, strides, strict=False)
        self.layers = nn.Sequential(
            *(stage(kind, Circular, inputs, outputs, stride) for inputs, outputs, stride in pairs)
        )
        self.project = nn.Linear(4 * channels[-1] + 2 * bins, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.standardize(x)
        patterns = self.layers(x.unsqueeze(1))
        pooled = torch.cat([moments(patterns.mean(dim=2)), moments(patterns.amax(dim=2))], dim=1)
        return functional.normalize(self.project(torch.cat([pooled, moments(x)], dim=1)), dim=1)


class RhythmBackbone(nn.Module):
    """Rhythm: fully connected layers over the tempo envelope, (windows, lags)."""

    def __init__(self, width: int, lags: int, kind: str = "plain", hidden: int = 256) -> None:
        super().__init__()
        self.standardize = Standardize(lags, mean=0.3, deviation=0.2)
        self.layers = nn.Sequential(nn.Linear(lags, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        if kind == "residual":
            self.layers.append(ResidualLinear(hidden))
        self.project = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.project(self.layers(self.standardize(x))), dim=1)


def timbre(width: int, bands: int, kind: str) -> nn.Module:
    return EnvelopeBackbone(width, bands) if kind == "envelope" else TimbreBackbone(width, bands, kind)


# Width of the facet, the feature's length along its first axis, and the kind: plain, residual, timbre's envelope,
# semantic's levelled, or sparse of the two that take patches.
BACKBONES: dict[str, Callable[[int, int, str], nn.Module]] = {
    "timbre": timbre,
    "harmony": HarmonyBackbone,
    "rhythm": RhythmBackbone,
    "semantic": SemanticBackbone,
    "instrumentation": InstrumentationBackbone,
}
