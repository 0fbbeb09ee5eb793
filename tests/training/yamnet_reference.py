"""YAMNet by its description (Plakal & Ellis 2020), in numpy, layer by layer, norms unfolded: the oracle of the network.

Variables are named as `resonance_engine.network.yamnet.state_of` takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Variables = Mapping[str, NDArray[np.float32]]

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def random_variables(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Draw kernels that keep activations at one scale, and norms, by number of the layer and kind."""
    rng = np.random.default_rng(seed)
    variables: dict[str, NDArray[np.float32]] = {}

    def put(number: int, kind: str, shape: tuple[int, ...], fan: int, channels: int) -> None:
        variables[f"{number}/{kind}"] = rng.standard_normal(shape, np.float32) * np.float32((2 / fan) ** 0.5)
        variables[f"{number + 1}/beta"] = rng.standard_normal(channels, np.float32) / 5
        variables[f"{number + 1}/moving_mean"] = rng.standard_normal(channels, np.float32) / 5
        variables[f"{number + 1}/moving_variance"] = rng.random(channels, np.float32) + np.float32(0.5)

    put(0, "kernel", (3, 3, 1, 32), 9, 32)
    for block, (inputs, outputs) in enumerate(zip((32, *WIDTHS), WIDTHS, strict=False)):
        put(2 + 4 * block, "depthwise_kernel", (3, 3, inputs, 1), 9, inputs)
        put(4 + 4 * block, "kernel", (1, 1, inputs, outputs), inputs, outputs)
    variables["54/kernel"] = rng.standard_normal((1024, 521), np.float32) / 8
    variables["54/bias"] = rng.standard_normal(521, np.float32)
    return variables


def convolve(x: Array, kernel: Array, stride: int, depthwise: bool = False) -> Array:
    """Convolve (height, width, channels) with (3, 3, inputs, outputs), or depthwise with (3, 3, channels, 1).

    As TensorFlow's `same`: an output for each `stride` of the input, the padding shared by both ends, the odd row at
    the latter.
    """
    taps = kernel.shape[0]
    sizes = [-(-length // stride) for length in x.shape[:2]]
    padding = []
    for length, size in zip(x.shape[:2], sizes, strict=True):
        total = max((size - 1) * stride + taps - length, 0)
        padding.append((total // 2, total - total // 2))
    x = np.pad(x, [*padding, (0, 0)])
    answers = np.zeros((*sizes, kernel.shape[2] if depthwise else kernel.shape[3]))
    for row in range(taps):
        for column in range(taps):
            part = x[row : row + stride * sizes[0] : stride, column : column + stride * sizes[1] : stride]
            part = part[: sizes[0], : sizes[1]]
            answers += part * kernel[row, column, :, 0] if depthwise else part @ kernel[row, column]
    return answers


def normalize(x: Array, variables: Variables, number: int) -> Array:
    """Apply the batch norm of this number, which has no scale, and ReLU."""
    beta, mean, variance = (variables[f"{number}/{part}"] for part in ("beta", "moving_mean", "moving_variance"))
    return np.maximum((x - mean) / np.sqrt(variance + 1e-4) + beta, 0)


def separable_outputs(patch: Array, variables: Variables) -> list[Array]:
    """Return the separable convolutions' outputs, (time, bands, channels) each, for a patch (96 frames, 64 bands)."""
    x = normalize(convolve(patch[:, :, None], variables["0/kernel"].astype(float), 2), variables, 1)
    outputs = []
    for block, stride in enumerate(STRIDES):
        number = 2 + 4 * block
        x = convolve(x, variables[f"{number}/depthwise_kernel"].astype(float), stride, depthwise=True)
        x = normalize(x, variables, number + 1)
        x = normalize(x @ variables[f"{number + 2}/kernel"].astype(float)[0, 0], variables, number + 3)
        outputs.append(x)
    return outputs


def class_logits(last: Array, variables: Variables) -> Array:
    """Return the classes' logits (521,) from the last separable convolution."""
    logits: Array = last.mean(axis=(0, 1)) @ variables["54/kernel"] + variables["54/bias"]
    return logits
