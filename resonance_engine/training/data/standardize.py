"""Standardise a network's inputs by the training windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.network.standardize import Standardize

if TYPE_CHECKING:
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet

SAMPLE = 500  # windows that means and deviations are measured on


def standardize(network: ResonanceNetwork, windows: WindowSet) -> None:
    """Set the networks' input standardisation to the means and deviations of (a sample of) the training windows.

    A backbone that brings its own, and so has no layer `standardize`, is left as it is.
    """
    rows = np.linspace(0, len(windows.song) - 1, min(SAMPLE, len(windows.song))).astype(np.intp)
    features = windows.rows(rows)
    for name in network.modalities:
        backbone = network.backbones[name]
        layer = getattr(backbone, "standardize", None)
        if not isinstance(layer, Standardize):
            continue
        values = torch.from_numpy(features[name])
        prepare = getattr(backbone, "prepare", None)
        if prepare is not None:
            values = prepare(values)
        bands = values.transpose(0, 1).flatten(1)
        layer.mean.copy_(bands.mean(dim=1))
        layer.deviation.copy_(bands.std(dim=1, correction=0).clamp(min=1e-3))
