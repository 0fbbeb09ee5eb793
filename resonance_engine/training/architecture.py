"""Settings -> a network with random weights, and what its file says of it."""

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
    """What a file of the network that these settings describe says of it; without an id, which the weights give."""
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
    """The network that these settings describe, with the random weights that belong to `train.seed`."""
    torch.manual_seed(config.train.seed)
    return ResonanceNetwork.from_manifest(manifest_of(config))
