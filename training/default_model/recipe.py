"""Hyper-parameters of the default model, with the values that were best (see docs/experiments.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from resonance_engine.features.spec import (
    Decoding,
    FeatureSpec,
    Framing,
    HarmonySpec,
    InstrumentationSpec,
    RhythmSpec,
    SemanticSpec,
    TimbreSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME, VERSION, LICENCE = "resonance", "4", "MIT AND ISC AND Apache-2.0"
# Nothing above 10.5 kHz is used, and separating sustained from percussive sound improves no facet of laundered copies.
FRAMING = Framing(rate=22050, n_fft=2048, hop=441, n_mels=128)
SPEC = FeatureSpec(
    decoding=Decoding(rate=22050, windows=3),
    hpss=False,
    timbre=TimbreSpec(FRAMING),
    harmony=HarmonySpec(FRAMING),
    rhythm=RhythmSpec(FRAMING),
    semantic=SemanticSpec(),
    instrumentation=InstrumentationSpec(),
)
# Three windows, and of YAMNet every other patch, find neighbours as well as four and all of them.
BACKBONES = MappingProxyType({"timbre": "envelope", "semantic": "levelled", "instrumentation": "sparse"})


@dataclass(frozen=True)
class FacetRecipe:
    """One modality's block of the embedding.

    Its facet uses `width` of the 512 numbers, apart from those of the others, so that shares of a similarity add up. It
    starts with `share` of the embedding's squared length. `shrinkage` regularises the within-soundtrack covariance that
    its map normalises: the higher, the closer to the identity. Differences to laundered and MP3 copies are added to it
    `copies` times.
    """

    width: int
    share: float
    shrinkage: float
    copies: float = 0.0


@dataclass(frozen=True)
class ModelRecipe:
    """Hyper-parameters of heads and gates; `ceiling_hz` is the highest frequency of the timbre modality."""

    parts: Mapping[str, FacetRecipe] = field(
        default_factory=lambda: MappingProxyType(
            {
                "timbre": FacetRecipe(64, 0.08, 0.3),
                "harmony": FacetRecipe(32, 0.05, 10.0),
                "rhythm": FacetRecipe(32, 0.03, 3.0),
                "semantic": FacetRecipe(192, 0.42, 10.0, 16.0),
                "instrumentation": FacetRecipe(192, 0.42, 10.0, 16.0),
            }
        )
    )
    ceiling_hz: float = 10_500.0
    epochs: int = 20
    lr: float = 3e-5
    gate_speed: float = 10.0
    weight_decay: float = 1e-2
    batch_songs: int = 64
    temperature: float = 0.1
    song_weight: float = 0.3
    artist_weight: float = 0.3
    seed: int = 0


RECIPE = ModelRecipe()
