"""Facets -> one embedding, weighed by learned gates.

Every facet f_i is a unit vector; its gate is g_i = sigmoid(w_i f_i + b_i), and the gates of a window are normalised to
sum to one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Gates(nn.Module):
    """One number between 0 and 1 per facet, summing to one: (windows, modalities, width) -> (windows, modalities)."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(modalities, width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(modalities))

    def forward(self, facets: Tensor) -> Tensor:
        gates = torch.sigmoid((facets * self.weight).sum(dim=2) + self.bias)
        return gates / gates.sum(dim=1, keepdim=True)


class GatedAdd(nn.Module):
    """embedding = normalised sum of g_i f_i; facets are as wide as the embedding."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.gates = Gates(modalities, width)

    def forward(self, facets: Tensor) -> tuple[Tensor, Tensor]:
        gates = self.gates(facets)
        return functional.normalize((gates.unsqueeze(2) * facets).sum(dim=1), dim=1), gates


class GatedConcat(nn.Module):
    """embedding = normalised projection of the facets g_i f_i laid side by side."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.gates = Gates(modalities, width)
        self.project = nn.Linear(modalities * width, width)

    def forward(self, facets: Tensor) -> tuple[Tensor, Tensor]:
        gates = self.gates(facets)
        weighed = (gates.unsqueeze(2) * facets).flatten(1)
        return functional.normalize(self.project(weighed), dim=1), gates


FUSIONS: dict[str, type[nn.Module]] = {"gated_add": GatedAdd, "gated_concat": GatedConcat}
