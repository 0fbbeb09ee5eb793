"""The whole network: features of each modality -> embedding, facets, gates and, where it has them, tags.

Facets are fused into one embedding, weighted by learned gates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.features.spec import FeatureSpec
from resonance_engine.network.backbones import BACKBONES
from resonance_engine.network.pretrained import TaggingBackbone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.encoder.manifest import Manifest


class Gates(nn.Module):
    """One number between 0 and 1 per facet, summing to one: (windows, modalities, width) -> (windows, modalities).

    The gate of a facet f_i, a unit vector, is g_i = sigmoid(w_i f_i + b_i) over the sum of all.
    """

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


class CrossAttention(GatedAdd):
    """Multi-head attention of each facet over the others (Vaswani et al. 2017), then as gated_add.

    t_i = normalised f_i + the attention's output; embedding = normalised sum of g_i t_i. The output starts faint, so
    that an untrained network is close to gated_add.
    """

    def __init__(self, modalities: int, width: int, inner: int = 128, heads: int = 4) -> None:
        super().__init__(modalities, width)
        self.heads = heads
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
        return super().forward(functional.normalize(facets + self.answer(attended), dim=2))

    def split(self, x: Tensor) -> Tensor:
        """Split heads: (windows, modalities, inner) -> (windows, heads, modalities, inner / heads)."""
        windows, modalities, inner = x.shape
        return x.reshape(windows, modalities, self.heads, inner // self.heads).transpose(1, 2)


FUSIONS: dict[str, type[nn.Module]] = {
    "gated_add": GatedAdd,
    "gated_concat": GatedConcat,
    "cross_attention": CrossAttention,
}


class ResonanceNetwork(nn.Module):
    """The network of all modalities: features of windows -> embeddings, facets, gates and tags.

    Inputs are positional, one array (windows, ...) per modality in the spec's order, each of the shape that the
    modality's spec gives. Outputs: `embedding` (windows, dimensions) and `facets` (windows, modalities, dimensions),
    all of unit length, `gates` (windows, modalities), summing to one, and of a network with tags also `tags` (windows,
    tags), each a probability of its own.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        fusion: str = "gated_add",
        dimensions: int = 512,
        spec: FeatureSpec | None = None,
        backbones: Mapping[str, str] | None = None,
        metric: bool = False,
        tags: int = 0,
    ) -> None:
        """Initialise random weights for features of `spec`, the default one where it is not given.

        `backbones` gives the kind of a modality's backbone, plain where it has none. With `metric`, a linear map, at
        first the identity, follows the fusion. `tags` is 0, or how many the pretrained networks give together, in the
        order of the modalities; ValueError where it is another number.
        """
        super().__init__()
        measured = spec or FeatureSpec()
        lengths = {name: each.shape(measured.decoding)[0] for name, each in measured.modalities.items()}
        self.modalities, self.tags = modalities, tags
        kinds = backbones or {}
        self.backbones = nn.ModuleDict(
            {name: BACKBONES[name](dimensions, lengths[name], kinds.get(name, "plain")) for name in modalities}
        )
        possible = sum(each.tags for each in self.backbones.values() if isinstance(each, TaggingBackbone))
        if tags not in (0, possible):
            raise ValueError(f"its tags should be {possible}, as many as its pretrained networks give, not {tags}")
        self.fusion = FUSIONS[fusion](len(modalities), dimensions)
        self.metric: nn.Linear | None = None
        if metric:
            self.transform(torch.eye(dimensions))

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> ResonanceNetwork:
        shapes = (manifest.modalities, manifest.fusion, manifest.dimensions, manifest.spec, manifest.backbones)
        return cls(*shapes, metric=manifest.metric, tags=len(manifest.tags))

    def transform(self, matrix: Tensor) -> None:
        """Apply a linear map (dimensions, dimensions) to all embeddings from now on, after those applied before."""
        if self.metric is None:
            self.metric = nn.Linear(len(matrix), len(matrix), bias=False)
            self.metric.weight.data = matrix.clone()
        else:
            self.metric.weight.data = matrix @ self.metric.weight.data

    def forward(self, *features: Tensor) -> tuple[Tensor, ...]:
        all_facets: list[Tensor] = []
        tags: list[Tensor] = []
        for name, x in zip(self.modalities, features, strict=True):
            backbone = self.backbones[name]
            if self.tags and isinstance(backbone, TaggingBackbone):
                pooled, probabilities = backbone.pool_and_tag(x)
                all_facets.append(backbone.facet(pooled))
                tags.append(probabilities)
            else:
                all_facets.append(backbone(x))
        facets = torch.stack(all_facets, dim=1)
        embedding, gates = self.fusion(facets)
        if self.metric is not None:
            embedding = functional.normalize(self.metric(embedding), dim=1)
        return (embedding, facets, gates, torch.cat(tags, dim=1)) if tags else (embedding, facets, gates)
