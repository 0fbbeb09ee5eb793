"""The whole network: features of each modality -> embedding, facets, gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from resonance_engine.features.spec import FeatureSpec
from resonance_engine.network.backbones import BACKBONES
from resonance_engine.network.fusion import FUSIONS

if TYPE_CHECKING:
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
    ) -> None:
        """A network with random weights for features as `spec` (by default the default one) measures them."""
        super().__init__()
        measured = spec or FeatureSpec()
        lengths = {name: each.shape(measured.decoding)[0] for name, each in measured.modalities.items()}
        self.modalities = modalities
        self.backbones = nn.ModuleDict({name: BACKBONES[name](dimensions, lengths[name]) for name in modalities})
        self.fusion = FUSIONS[fusion](len(modalities), dimensions)

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> ResonanceNetwork:
        return cls(manifest.modalities, manifest.fusion, manifest.dimensions, manifest.spec)

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        facets = torch.stack(
            [self.backbones[name](x) for name, x in zip(self.modalities, features, strict=True)], dim=1
        )
        embedding, gates = self.fusion(facets)
        return embedding, facets, gates
