"""Everything that the default model's making can be told, and what was found best (see docs/experiments.md)."""

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
class Part:
    """One modality's place in the embedding.

    Its facet uses `width` of the 512 numbers, apart from those of the others, so that shares of a similarity add up. It
    starts with `share` of the embedding's squared length. `shrinkage` keeps the map that evens out what varies within
    a soundtrack from doing so where little is known: the higher, the less it does. What an encoder changes is evened
    out too, and counts `encoders` times as much; 0 leaves it be.
    """

    width: int
    share: float
    shrinkage: float
    encoders: float = 0.0


@dataclass(frozen=True)
class ModelRecipe:
    """How heads and gates are made; `ceiling_hz` is the highest frequency that timbre listens to."""

    parts: Mapping[str, Part] = field(
        default_factory=lambda: MappingProxyType(
            {
                "timbre": Part(128, 0.30, 0.3),
                "harmony": Part(64, 0.12, 10.0),
                "rhythm": Part(64, 0.06, 3.0),
                "semantic": Part(256, 0.52, 10.0, 4.0),
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
