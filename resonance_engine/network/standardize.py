"""Standardise features or activations within the network, by statistics of the training set."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Subtract a mean and divide by a deviation per feature band; both are measured on the training set.

    Input and output: (windows, bands, ...).
    """

    def __init__(self, bands: int, mean: float = 0.0, deviation: float = 1.0) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.full((bands,), mean))
        self.register_buffer("deviation", torch.full((bands,), deviation))

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return (x - self.mean.view(shape)) / self.deviation.view(shape)
