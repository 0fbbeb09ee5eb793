"""Heads in closed form: projections that bring out what tells soundtracks apart, and gates that say how much of each.

A modality's activations are standardised, turned to their principal axes, and divided by how much they vary within a
soundtrack (within-class covariance normalisation, Hatch, Kajarekar & Stolcke 2006), shrunk towards doing nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import torch

from resonance_engine.network.fusion import GatedAdd
from training.default_model.pooled import projection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork
    from training.default_model.recipe import Part

    Array = NDArray[np.float64]


FAINTEST = 1e-3  # the deviation below which an activation counts as none, and stays so


def blocks(parts: Mapping[str, Part]) -> dict[str, slice]:
    """Which numbers of the embedding are each modality's."""
    ends = np.cumsum([part.width for part in parts.values()])
    return {name: slice(int(end) - part.width, int(end)) for (name, part), end in zip(parts.items(), ends, strict=True)}


def set_heads(
    network: ResonanceNetwork,
    heard: Mapping[str, NDArray[np.float32]],
    group: NDArray[np.intp],
    parts: Mapping[str, Part],
    encoded: Mapping[str, NDArray[np.float32]] | None = None,
) -> None:
    """Set projections and gates from the activations (windows, length) of each modality and the windows' groups.

    `encoded` are those of the same windows after a lossy encoder had them, where that is known.
    """
    with torch.no_grad():
        for name, where in blocks(parts).items():
            other = encoded[name].astype(np.float64) if encoded is not None and parts[name].encoders else None
            matrix, offset = head(heard[name].astype(np.float64), group, parts[name], other)
            project = projection(network.backbones[name])
            project.weight.zero_()
            project.bias.zero_()
            project.weight[where] = torch.from_numpy(matrix.T.astype(np.float32))
            project.bias[where] = torch.from_numpy(offset.astype(np.float32))
        gates = np.sqrt([parts[name].share for name in network.modalities])
        gates /= gates.sum()
        fusion = network.fusion
        assert isinstance(fusion, GatedAdd)
        fusion.gates.weight.zero_()
        fusion.gates.bias.copy_(torch.from_numpy(np.log(gates / (1 - gates))))


def head(heard: Array, group: NDArray[np.intp], part: Part, encoded: Array | None = None) -> tuple[Array, Array]:
    """The matrix (length, width) and offset (width,) of a modality's projection."""
    mean, deviation = heard.mean(axis=0), np.maximum(heard.std(axis=0), FAINTEST)
    scaled = (heard - mean) / deviation
    size = scaled.shape[1]
    axes = scipy.linalg.eigh(scaled.T @ scaled, subset_by_index=[size - part.width, size - 1])[1]
    changes = None if encoded is None else np.sqrt(part.encoders) * ((encoded - heard) / deviation) @ axes
    matrix = axes @ evening(scaled @ axes, group, part.shrinkage, changes)
    matrix /= deviation[:, None]
    return matrix, -mean @ matrix


def evening(values: Array, group: NDArray[np.intp], shrinkage: float, changes: Array | None = None) -> Array:
    """The map (d, d) that evens out how values (n, d) vary around the mean of their group: (S + λ)^-½, S of mean 1.

    `changes` (n, d), which values may undergo and stay the same, are added to what varies.
    """
    members = np.unique(group, return_inverse=True)[1]
    sums = np.zeros((members.max() + 1, values.shape[1]))
    np.add.at(sums, members, values)
    apart = values - (sums / np.bincount(members)[:, None])[members]
    scatter = apart.T @ apart
    unit = len(scatter) / np.trace(scatter)
    scatter = (scatter if changes is None else scatter + changes.T @ changes) * unit
    variances, directions = np.linalg.eigh(scatter)
    return np.asarray((directions / np.sqrt(np.maximum(variances, 0) + shrinkage)) @ directions.T)
