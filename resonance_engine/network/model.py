"""The whole network: features of each modality -> embedding, facets, gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.features.spec import FeatureSpec
from resonance_engine.network.backbones import BACKBONES
from resonance_engine.network.fusion import FUSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.manifest import Manifest


class ResonanceNetwork(nn.Module):
    """Features of some windows -> what they sound like.

    Inputs are positional, one array per modality in the spec's order: timbre (windows, bands, frames), harmony
    (windows, bins, frames), rhythm (windows, lags). Outputs: `embedding` (windows, dimensions) and `facets`
    (windows, modalities, dimensions), all of unit length, and `gates` (windows, modalities), summing to one.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        fusion: str = "gated_add",
        dimensions: int = 512,
        spec: FeatureSpec | None = None,
        backbones: Mapping[str, str] | None = None,
        metric: bool = False,
    ) -> None:
        """A network with random weights for features as `spec` (by default the default one) measures them.

        `backbones` says of which kind a modality's backbone is, "plain" or "residual"; plain where it says nothing.
        With `metric`, a linear map, at first the identity, follows the fusion.
        """
        super().__init__()
        measured = spec or FeatureSpec()
        lengths = {name: each.shape(measured.decoding)[0] for name, each in measured.modalities.items()}
        self.modalities = modalities
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
        return cls(*shapes, metric=manifest.metric)

    def transform(self, matrix: Tensor) -> None:
        """Apply a linear map (dimensions, dimensions) to all embeddings from now on, after those applied before."""
        if self.metric is None:
            self.metric = nn.Linear(len(matrix), len(matrix), bias=False)
            self.metric.weight.data = matrix.clone()
        else:
            self.metric.weight.data = matrix @ self.metric.weight.data

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        facets = torch.stack(
            [self.backbones[name](x) for name, x in zip(self.modalities, features, strict=True)], dim=1
        )
        embedding, gates = self.fusion(facets)
        if self.metric is not None:
            embedding = functional.normalize(self.metric(embedding), dim=1)
        return embedding, facets, gates
