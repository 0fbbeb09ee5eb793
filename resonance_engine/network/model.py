"""The whole network: features of each modality -> embedding, facets, gates and, where it has them, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.features.spec import FeatureSpec
from resonance_engine.network.backbones import BACKBONES
from resonance_engine.network.fusion import FUSIONS
from resonance_engine.network.musicnn import TAGS
from resonance_engine.network.semantic import SemanticBackbone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.encoder.manifest import Manifest


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

        `backbones` gives the kind of a modality's backbone, "plain" or "residual"; plain where it has none.
        With `metric`, a linear map, at first the identity, follows the fusion. `tags` is 0, or how many the semantic
        network gives; ValueError where it gives another number.
        """
        super().__init__()
        if tags and "semantic" not in modalities:
            raise ValueError("its tags need the semantic modality, which it does not hear")
        if tags not in (0, TAGS):
            raise ValueError(f"its tags should be {TAGS}, as many as the semantic network gives, not {tags}")
        measured = spec or FeatureSpec()
        lengths = {name: each.shape(measured.decoding)[0] for name, each in measured.modalities.items()}
        self.modalities, self.tags = modalities, tags
        kinds = backbones or {}
        self.backbones = nn.ModuleDict(
            {name: BACKBONES[name](dimensions, lengths[name], kinds.get(name, "plain")) for name in modalities}
        )
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
            if self.tags and isinstance(backbone, SemanticBackbone):
                pooled, probabilities = backbone.pool_and_tag(x)
                all_facets.append(backbone.facet(pooled))
                tags.append(probabilities)
            else:
                all_facets.append(backbone(x))
        facets = torch.stack(all_facets, dim=1)
        embedding, gates = self.fusion(facets)
        if self.metric is not None:
            embedding = functional.normalize(self.metric(embedding), dim=1)
        return embedding, facets, gates, *tags
