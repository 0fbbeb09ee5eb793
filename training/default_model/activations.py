"""Activations of the backbones before their projection to a facet: the inputs of the heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from resonance_engine.training.data.dataset import WindowSet

BATCH = 8


def projection(backbone: nn.Module) -> nn.Linear:
    """Return the layer that projects a backbone's activations to a facet."""
    layer = backbone.project
    assert isinstance(layer, nn.Linear)
    return layer


def pooled_activations(backbone: nn.Module, name: str, windows: WindowSet) -> NDArray[np.float32]:
    """Return the inputs of a backbone's projection (windows, length) for the windows' features of this name."""
    batches: list[NDArray[np.float32]] = []

    def record(_projection: nn.Module, inputs: tuple[Tensor, ...], _facet: Tensor) -> None:
        batches.append(inputs[0].numpy())

    hook = projection(backbone).register_forward_hook(record)
    count = len(windows.song)
    with torch.inference_mode():
        for at in range(0, count, BATCH):
            backbone(torch.from_numpy(windows.rows(np.arange(at, min(at + BATCH, count)))[name]))
    hook.remove()
    return np.concatenate(batches)
