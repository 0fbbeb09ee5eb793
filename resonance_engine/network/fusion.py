"""Fuse facets into one embedding, weighted by learned gates.

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


class CrossAttention(nn.Module):
    """Multi-head attention of each facet over the others (Vaswani et al. 2017), then as gated_add.

    t_i = normalised f_i + the attention's output; embedding = normalised sum of g_i t_i. The output starts faint, so
    that an untrained network is close to gated_add.
    """

    def __init__(self, modalities: int, width: int, inner: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.gates = Gates(modalities, width)
        self.names = nn.Parameter(torch.randn(modalities, width) * width**-0.5)  # which modality a facet is of
        # Queries, keys, values and output; files of weights keep these names.
        self.ask = nn.Linear(width, inner)
        self.offer = nn.Linear(width, inner, bias=False)  # one would add the same to all of a query's scores
        self.tell = nn.Linear(width, inner)
        self.answer = nn.Linear(inner, width)
        with torch.no_grad():
            self.answer.weight.mul_(0.1)
            self.answer.bias.zero_()

    def forward(self, facets: Tensor) -> tuple[Tensor, Tensor]:
        named = facets + self.names
        queries, keys, values = (self.split(each) for each in (self.ask(named), self.offer(named), self.tell(facets)))
        scores = queries @ keys.transpose(2, 3) * queries.shape[-1] ** -0.5
        attended = (scores.softmax(dim=3) @ values).transpose(1, 2).flatten(2)
        facets = functional.normalize(facets + self.answer(attended), dim=2)
        gates = self.gates(facets)
        return functional.normalize((gates.unsqueeze(2) * facets).sum(dim=1), dim=1), gates

    def split(self, x: Tensor) -> Tensor:
        """Split heads: (windows, modalities, inner) -> (windows, heads, modalities, inner / heads)."""
        windows, modalities, inner = x.shape
        return x.reshape(windows, modalities, self.heads, inner // self.heads).transpose(1, 2)


FUSIONS: dict[str, type[nn.Module]] = {
    "gated_add": GatedAdd,
    "gated_concat": GatedConcat,
    "cross_attention": CrossAttention,
}
