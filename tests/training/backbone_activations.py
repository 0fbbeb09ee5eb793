"""Activations of songs of a few soundtracks, as backbones could give them, and a network for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tests.tiny_models import SPEC
from tests.tiny_networks import tiny_network
from training.default_model.recipe import FacetRecipe, ModelRecipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork

PARTS = {"timbre": FacetRecipe(5, 0.5, 0.3), "harmony": FacetRecipe(4, 0.3, 1.0), "rhythm": FacetRecipe(7, 0.2, 3.0)}
RECIPE = replace(ModelRecipe(), parts=PARTS, epochs=4, lr=1e-2, batch_songs=10)


@dataclass(frozen=True)
class Activations:
    """What a network hears in windows, by modality; each window's song; each song's soundtrack and artist."""

    network: ResonanceNetwork
    values: dict[str, NDArray[np.float32]]
    song: NDArray[np.intp]
    group: NDArray[np.intp]
    artist: NDArray[np.intp]

    @property
    def of_window(self) -> NDArray[np.intp]:
        return self.group[self.song]


def make_activations(seed: int = 0, songs: int = 20, windows: int = 3, apart: float = 1.0) -> Activations:
    """Two artists to a soundtrack of four songs; channels are of very different size, and the first is always zero."""
    rng = np.random.default_rng(seed)
    song = np.repeat(np.arange(songs), windows)
    group, artist = np.arange(songs) // 4, np.arange(songs) // 2
    network = tiny_network(seed=seed)
    values = {}
    for name in SPEC.modalities:
        size = network.get_submodule(f"backbones.{name}.project").in_features
        assert isinstance(size, int)
        own = apart * rng.normal(size=(group.max() + 1, size))[group] + 0.5 * rng.normal(size=(songs, size))
        noisy = own[song] + rng.normal(size=(len(song), size)) * rng.uniform(0.5, 3, size)
        raw = noisy * 10 ** rng.uniform(-2, 2, size) + rng.uniform(-50, 50, size)
        raw[:, 0] = 0
        values[name] = raw.astype(np.float32)
    return Activations(network, values, song, group, artist)
