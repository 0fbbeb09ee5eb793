"""Hyper-parameters of the default model, with the values that were best (see docs/experiments.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from resonance_engine.features.spec import FeatureSpec, SemanticSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME, VERSION, LICENCE = "resonance", "2", "MIT AND ISC"
SPEC = FeatureSpec(semantic=SemanticSpec())


@dataclass(frozen=True)
class FacetRecipe:
    """One modality's block of the embedding.

    Its facet uses `width` of the 512 numbers, apart from those of the others, so that shares of a similarity add up. It
    starts with `share` of the embedding's squared length. `shrinkage` regularises the within-soundtrack covariance that
    its map normalises: the higher, the closer to the identity. The differences that lossy encoding makes are added to
    that covariance `encoders` times.
    """

    width: int
    share: float
    shrinkage: float
    encoders: float = 0.0


@dataclass(frozen=True)
class ModelRecipe:
    """Hyper-parameters of heads and gates; `ceiling_hz` is the highest frequency of the timbre modality."""

    parts: Mapping[str, FacetRecipe] = field(
        default_factory=lambda: MappingProxyType(
            {
                "timbre": FacetRecipe(128, 0.30, 0.3),
                "harmony": FacetRecipe(64, 0.12, 10.0),
                "rhythm": FacetRecipe(64, 0.06, 3.0),
                "semantic": FacetRecipe(256, 0.52, 10.0, 4.0),
            }
        )
    )
    ceiling_hz: float = 10_500.0
    epochs: int = 20
    lr: float = 1e-4
    gate_speed: float = 30.0
    weight_decay: float = 1e-2
    batch_songs: int = 64
    temperature: float = 0.1
    song_weight: float = 0.3
    artist_weight: float = 0.3
    seed: int = 0


RECIPE = ModelRecipe()
