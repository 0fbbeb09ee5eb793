"""Build a network with random weights, and its manifest, from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resonance_engine.encoder.manifest import Manifest
from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.network.model import ResonanceNetwork

if TYPE_CHECKING:
    from resonance_engine.training.config.settings import Config

OWN_LICENCE = "unspecified"  # what was trained on a private library is its owner's business


def manifest_of(config: Config, name: str = "own", version: str = "1", licence: str = OWN_LICENCE) -> Manifest:
    """Return the manifest of the network that the settings describe, without an id, which depends on the weights."""
    kinds = {"timbre": config.model.timbre, "harmony": config.model.harmony, "rhythm": config.model.rhythm}
    return Manifest(
        name=name,
        version=version,
        licence=licence,
        spec=config.spec,
        front_end=FRONT_END_VERSION,
        fusion=config.fusion.mode,
        dimensions=config.fusion.embed_dim,
        backbones={modality: kind for modality, kind in kinds.items() if kind != "plain"},
    )


def network_of(config: Config) -> ResonanceNetwork:
    """Build the network that the settings describe, with random weights from `train.seed`."""
    torch.manual_seed(config.train.seed)
    return ResonanceNetwork.from_manifest(manifest_of(config))
