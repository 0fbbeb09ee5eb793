"""YAMNet in PyTorch: the network that classifies sounds of AudioSet, a MobileNet v1 over log-mel patches of 0.96 s.

Plakal & Ellis 2020 (tensorflow/models, research/audioset/yamnet); MobileNet: Howard et al. 2017, arXiv:1704.04861;
AudioSet: Gemmeke et al. 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NORM = ("beta", "moving_mean", "moving_variance")  # variables of a batch norm without a scale
BANDS, FRAMES = 64, 96  # of a patch
CLASSES = 521
FIRST = 32  # channels of the first convolution
# Channels and stride of the separable convolutions.
BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
TAPPED = (3, 6, 9, 12, 13)  # separable convolutions, counted from 1, whose channels are pooled: each octave of patterns
POOLED = sum(BLOCKS[number - 1][0] for number in TAPPED)
VARYING = sum(BLOCKS[number - 1][0] for number in TAPPED[:3])  # of them, those whose deviations over patches count, too
OFFSET = 0.001  # added to the magnitude of a mel band before the logarithm
EPSILON = 1e-4  # of the published batch norms


class SameConvolution(nn.Module):
    """A convolution of 3 x 3, padded as TensorFlow does for `same`, and ReLU, over (patches, channels, time, bands).

    A stride of 2 over an even length takes its padding at the end alone.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:
            x = functional.pad(x, (x.shape[3] % 2, 1, x.shape[2] % 2, 1))
        return functional.relu(self.convolution(x))


class SeparableConvolution(nn.Module):
    """A convolution of each channel by itself, then one of 1 x 1 over the channels, a ReLU behind both."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = SameConvolution(inputs, inputs, stride, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.pointwise(self.depthwise(x)))


class YamnetOutputs(NamedTuple):
    """`pooled` (patches, 3200), the tapped layers' channels averaged over a patch; `classes` (patches, 521), logits."""

    pooled: Tensor
    classes: Tensor


class YAMNet(nn.Module):
    """The network: patches (n, 96 frames, 64 bands) of ln(m + 0.001) -> `YamnetOutputs`.

    m is the magnitude in mel bands (HTK's scale, 125 to 7500 Hz, triangles of height one) at 16 kHz, of Hann windows of
    25 ms every 10 ms in FFTs of 512. The published batch norms are part of the convolutions here (`state_of`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConvolution(1, FIRST, 2)
        widths = [FIRST, *(width for width, _ in BLOCKS)]
        self.blocks = nn.ModuleList(
            SeparableConvolution(inputs, outputs, stride)
            for inputs, (outputs, stride) in zip(widths, BLOCKS, strict=False)
        )
        self.classes = nn.Linear(BLOCKS[-1][0], CLASSES)

    def forward(self, patches: Tensor) -> YamnetOutputs:
        x = self.first(patches.unsqueeze(1))
        pooled = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in TAPPED:
                pooled.append(x.mean(dim=(2, 3)))
        return YamnetOutputs(torch.cat(pooled, dim=1), self.classes(pooled[-1]))


def state_of(variables: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Convert the published variables to a state of `YAMNet`.

    `variables` are named NUMBER/KIND: `kernel`, `depthwise_kernel` or `bias`, and `beta`, `moving_mean` and
    `moving_variance` of the norm behind a convolution, which is multiplied into it. Numbers count convolutions and
    norms in the order of the network. Raises KeyError where one is missing.
    """
    state: dict[str, Tensor] = {}

    def put(name: str, number: int, kind: str = "kernel") -> None:
        kernel = variables[f"{number}/{kind}"].astype(np.float64)
        # TensorFlow's order: height, width, inputs, outputs; of a depthwise kernel the channels come first.
        weight = kernel.transpose(2, 3, 0, 1) if kind == "depthwise_kernel" else kernel.transpose(3, 2, 0, 1)
        norm = {part: variables[f"{number + 1}/{part}"].astype(np.float64) for part in NORM}
        scale = 1 / np.sqrt(norm["moving_variance"] + EPSILON)
        state[f"{name}.weight"] = torch.from_numpy((weight * scale[:, None, None, None]).astype(np.float32))
        bias = norm["beta"] - norm["moving_mean"] * scale
        state[f"{name}.bias"] = torch.from_numpy(bias.astype(np.float32))

    put("first.convolution", 0)
    for number in range(len(BLOCKS)):
        put(f"blocks.{number}.depthwise.convolution", 2 + 4 * number, "depthwise_kernel")
        put(f"blocks.{number}.pointwise", 4 + 4 * number)
    last = 2 + 4 * len(BLOCKS)
    state["classes.weight"] = torch.from_numpy(variables[f"{last}/kernel"].T.copy())
    state["classes.bias"] = torch.from_numpy(variables[f"{last}/bias"].copy())
    return state
