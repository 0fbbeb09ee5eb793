"""Run weights with PyTorch itself, for models that were trained and not yet exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.network.files import load_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


class TorchBackend:
    """The torch side of `encoder.Backend`."""

    def __init__(self, path: Path) -> None:
        self.network, self.manifest = load_network(path)

    def run(self, features: Mapping[str, NDArray[np.float32]]) -> tuple[NDArray[np.float32], ...]:
        inputs = [torch.from_numpy(np.ascontiguousarray(features[name])) for name in self.manifest.modalities]
        with torch.inference_mode():
            return tuple(output.numpy() for output in self.network(*inputs))
