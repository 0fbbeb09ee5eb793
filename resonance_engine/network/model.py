"""The whole network: features of each modality -> embedding, facets, gates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resonance_engine.manifest import Manifest
from resonance_engine.network.backbones import BACKBONES
from resonance_engine.network.fusion import FUSIONS


class ResonanceNetwork(nn.Module):
    """Features of some windows -> what they sound like.

    Inputs are positional, one array per modality in the manifest's order: timbre (windows, 160, frames), harmony
    (windows, 24, frames), rhythm (windows, 320). Outputs: `embedding` (windows, dimensions) and `facets`
    (windows, modalities, dimensions), all of unit length, and `gates` (windows, modalities), summing to one.
    """

    def __init__(self, modalities: tuple[str, ...], fusion: str = "gated_add", dimensions: int = 512) -> None:
        super().__init__()
        self.modalities = modalities
        self.backbones = nn.ModuleDict({name: BACKBONES[name](dimensions) for name in modalities})
        self.fusion = FUSIONS[fusion](len(modalities), dimensions)

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> ResonanceNetwork:
        return cls(manifest.modalities, manifest.fusion, manifest.dimensions)

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        facets = torch.stack(
            [self.backbones[name](x) for name, x in zip(self.modalities, features, strict=True)], dim=1
        )
        embedding, gates = self.fusion(facets)
        return embedding, facets, gates
