"""What each modality's network hears in a window, before it is made a facet: what the heads are trained on."""

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
    """The layer that makes a facet of what a backbone hears."""
    layer = backbone.project
    assert isinstance(layer, nn.Linear)
    return layer


def pooled(backbone: nn.Module, name: str, windows: WindowSet) -> NDArray[np.float32]:
    """The inputs of a backbone's projection, (windows, their length), on the windows' features of this name."""
    found: list[NDArray[np.float32]] = []

    def listen(_projection: nn.Module, inputs: tuple[Tensor, ...], _facet: Tensor) -> None:
        found.append(inputs[0].numpy())

    hook = projection(backbone).register_forward_hook(listen)
    count = len(windows.song)
    with torch.inference_mode():
        for at in range(0, count, BATCH):
            backbone(torch.from_numpy(windows.rows(np.arange(at, min(at + BATCH, count)))[name]))
    hook.remove()
    return np.concatenate(found)
