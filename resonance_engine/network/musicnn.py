"""The musically motivated CNN that learned to tag the Million Song Dataset (Pons & Serra 2019, musicnn), in PyTorch.

Filters as tall as 40 and 70 % of the spectrum detect timbre at any pitch, long and flat ones rhythm; both keep only
their largest output over frequency. Three layers over time follow, and the whole patch is pooled.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

BANDS, FRAMES = 96, 187  # of a patch of 3 s
TIMBRAL = ((7, 38), (7, 67))  # frames and bands that a filter spans
TEMPORAL = (128, 64, 32)  # frames, one band
TIMBRAL_FILTERS, TEMPORAL_FILTERS = 204, 51
FRONT = TIMBRAL_FILTERS * len(TIMBRAL) + TEMPORAL_FILTERS * len(TEMPORAL)
MIDDLE, LAYERS = 64, 3
CHANNELS = FRONT + LAYERS * MIDDLE
POOLED = 2 * CHANNELS
HIDDEN, TAGS = 200, 50
EPSILON = 1e-3
LANES = 16  # channels that onnxruntime computes at once
LOUDEST = 10.0  # of the normalised input, which lies between -1.2 and 3
SILENCE = 1e-5  # a filter whose output is never larger is inactive


def frames_side_by_side(filters: int, taps: int) -> int:
    """Return how many frames to compute at once, at most five, so that so many filters cost the least."""

    def cost(frames: int) -> float:
        return -(-frames * filters // LANES) * (taps + frames - 1) / frames

    return min(range(1, 6), key=cost)


class AcrossFrequency(nn.Module):
    """Convolution, ReLU, batch norm, then the maximum over frequency: (n, 1, time, bands) -> (n, active, time).

    Positions over frequency are `stride` apart. `active` are the filters whose output is not constant zero.
    """

    active: Tensor

    def __init__(self, filters: int, kernel: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, filters, kernel, stride=(1, stride))
        self.norm = nn.BatchNorm2d(filters, eps=EPSILON)
        self.register_buffer("active", torch.arange(filters), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # Bias, ReLU and norm rise evenly with the convolution's output, or fall where the norm's scale is negative:
        # they need its largest value over frequency alone, or its smallest.
        sign = self.norm.weight[self.active].sign()[:, None]
        kernel = self.convolution.weight[self.active] * sign[:, :, None, None]
        return self.normalise(self.maximum_over_frequency(x, kernel) * sign, self.active)

    def maximum_over_frequency(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Return the largest output of each filter over frequency: (n, 1, time, bands) -> (n, filters, time).

        Few filters leave a processor's lanes empty: some frames in a row are computed side by side, as if by so many
        filters, each with its taps a frame later.
        """
        filters, taps, length = kernel.shape[0], kernel.shape[2], x.shape[2]
        frames = frames_side_by_side(filters, taps)
        if frames > 1:
            kernel = torch.cat([functional.pad(kernel, (0, 0, at, frames - 1 - at)) for at in range(frames)])
        # Zeros fill the lanes, so that what follows keeps the layout too; the exporter stumbles over padding by none.
        spare = -len(kernel) % LANES
        shifted = functional.pad(kernel, (0, 0, 0, 0, 0, 0, 0, spare)) if spare else kernel
        # As TensorFlow pads for the same length: an even kernel gets one frame less in front.
        padded = functional.pad(x, (0, 0, (taps - 1) // 2, taps // 2 + -length % frames))
        outputs = functional.conv2d(padded, shifted, stride=(frames, self.convolution.stride[1]))
        # Pooling, unlike a reduction, is done in the layout of the convolution.
        largest = functional.max_pool2d(outputs, (1, outputs.shape[3]))[:, : frames * filters, :, 0]
        return largest.reshape(x.shape[0], frames, filters, -1).permute(0, 2, 3, 1).flatten(2)[:, :, :length]

    def normalise(self, outputs: Tensor, filters: Tensor) -> Tensor:
        """Apply bias, ReLU and batch norm to these filters' outputs, (n, filters, time)."""
        bias, norm = self.convolution.bias, self.norm
        assert bias is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        rectified = functional.relu(outputs + bias[filters, None])
        statistics = norm.running_mean[filters], norm.running_var[filters]
        return functional.batch_norm(rectified, *statistics, norm.weight[filters], norm.bias[filters], eps=EPSILON)

    def drop_silent_filters(self) -> None:
        """Compute from now on only the filters whose output can differ from zero."""
        norm = self.norm
        assert norm.running_var is not None
        every = torch.arange(norm.num_features, device=norm.weight.device)
        constant = self.normalise(norm.weight.new_zeros(1, len(every), 1), every)[0, :, 0]
        gain = norm.weight * (norm.running_var + EPSILON).rsqrt()
        change = LOUDEST * self.convolution.weight.abs().sum(dim=(1, 2, 3)) * gain.abs()
        active = every[~(constant.abs() + change < SILENCE)]
        self.active = active if len(active) else every[:1]  # a convolution needs one


class OverTime(nn.Module):
    """Convolution over seven frames, ReLU, batch norm: (n, inputs, time) -> (n, outputs, time)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(inputs, outputs, 7, padding=3)
        self.norm = nn.BatchNorm1d(outputs, eps=EPSILON)

    def forward(self, x: Tensor, channels: Tensor | None = None) -> Tensor:
        """Compute the outputs; `channels` are the inputs that x has, where not all: the others are zero."""
        weight = self.convolution.weight if channels is None else self.convolution.weight[:, channels]
        outputs = functional.conv1d(x, weight, self.convolution.bias, padding=3)
        normalised: Tensor = self.norm(functional.relu(outputs))
        return normalised


class MusiCNN(nn.Module):
    """The network: patches of 3 s -> activations and tags.

    Input (patches, 187 frames, 96 bands): log10(10000 p + 1) of the power p in slaney mel bands at 16 kHz, n_fft 512,
    hop 256. Outputs: `hidden` (patches, 200), `pooled` (patches, 1506; maximum and mean over time of each channel, side
    by side), `tags` (patches, 50) as logits. `stride` says how many positions over frequency the filters step.

    Of the 561 published filters over the spectrum, 64 are active; the weights of the others vanished when they
    were trained. Filters that loaded weights leave silent are not computed and their channels are zero.
    """

    active: Tensor
    place: Tensor

    def __init__(self, stride: int = 1, temporal_stride: int | None = None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, eps=EPSILON)
        self.timbral = nn.ModuleList(AcrossFrequency(TIMBRAL_FILTERS, kernel, stride) for kernel in TIMBRAL)
        self.temporal = nn.ModuleList(
            AcrossFrequency(TEMPORAL_FILTERS, (frames, 1), temporal_stride or stride) for frames in TEMPORAL
        )
        self.middle = nn.ModuleList(OverTime(FRONT if not layer else MIDDLE, MIDDLE) for layer in range(LAYERS))
        self.pooled_norm = nn.BatchNorm1d(POOLED, eps=EPSILON)
        self.hidden = nn.Linear(POOLED, HIDDEN)
        self.hidden_norm = nn.BatchNorm1d(HIDDEN, eps=EPSILON)
        self.tags = nn.Linear(HIDDEN, TAGS)
        self.register_buffer("active", torch.arange(FRONT), persistent=False)
        self.register_buffer("place", torch.arange(CHANNELS), persistent=False)
        self.register_load_state_dict_post_hook(drop_silent_filters)  # type: ignore[no-untyped-call] # torch gives none
        self.eval()

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - as every module has it
        """Keep the statistics of the songs that the published norms learned from, in training as in use."""
        return super().train(False)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.norm(patches.unsqueeze(1))
        front = torch.cat([part(x) for part in (*self.timbral, *self.temporal)], dim=1)
        layers = [front]
        current = self.middle[0](front, self.active)
        layers.append(current)
        for layer in list(self.middle)[1:]:
            current = current + layer(current)
            layers.append(current)
        dense = torch.cat(layers, dim=1)
        # The silent filters' place is a channel of zeros behind the others.
        maximum_and_mean = torch.stack([dense.amax(dim=2), dense.mean(dim=2)], dim=2)
        pooled = functional.pad(maximum_and_mean, (0, 0, 0, 1))[:, self.place].flatten(1)
        hidden = self.hidden_norm(functional.relu(self.hidden(self.pooled_norm(pooled))))
        return hidden, pooled, self.tags(hidden)


@torch.no_grad()
def drop_silent_filters(network: MusiCNN, _: object = None) -> None:
    """Find the filters over the spectrum that the present weights leave silent, and compute only the others."""
    parts = [*network.timbral, *network.temporal]
    starts = accumulate((part.norm.num_features for part in parts), initial=0)
    for part in parts:
        part.drop_silent_filters()
    network.active = torch.cat([part.active + start for part, start in zip(parts, starts, strict=False)])
    present = torch.cat([network.active, torch.arange(FRONT, CHANNELS, device=network.active.device)])
    network.place = torch.full_like(network.place, len(present))
    network.place[present] = torch.arange(len(present), device=present.device)


def state_of(variables: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Convert the published weights, by TensorFlow's names, to a state of `MusiCNN`."""
    fronts = [f"timbral.{i}" for i in range(len(TIMBRAL))] + [f"temporal.{i}" for i in range(len(TEMPORAL))]
    middles = [f"middle.{i}" for i in range(LAYERS)]
    state: dict[str, Tensor] = {}

    def put(name: str, values: NDArray[np.float32]) -> None:
        state[name] = torch.from_numpy(values.copy())

    def variable_name(kind: str, number: int) -> str:
        return kind if number == 0 else f"{kind}_{number}"

    for number, name in enumerate([*fronts, *middles]):
        kernel = variables[f"{variable_name('conv2d', number)}/kernel"]
        if name in fronts:
            put(f"{name}.convolution.weight", kernel.transpose(3, 2, 0, 1))
        else:  # (frames, channels, 1, filters)
            put(f"{name}.convolution.weight", kernel[:, :, 0].transpose(2, 1, 0))
        put(f"{name}.convolution.bias", variables[f"{variable_name('conv2d', number)}/bias"])
    norms = ["norm", *(f"{name}.norm" for name in [*fronts, *middles]), "pooled_norm", "hidden_norm"]
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for number, name in enumerate(norms):
        for ours, theirs in parts.items():
            put(f"{name}.{ours}", variables[f"{variable_name('batch_normalization', number)}/{theirs}"])
        state[f"{name}.num_batches_tracked"] = torch.tensor(0)
    for number, name in enumerate(("hidden", "tags")):
        put(f"{name}.weight", variables[f"{variable_name('dense', number)}/kernel"].T)
        put(f"{name}.bias", variables[f"{variable_name('dense', number)}/bias"])
    return state
