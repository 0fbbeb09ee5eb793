"""From the features of some songs to a network: pretrained trunk, scaled inputs, heads, gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.encoder.manifest import Manifest
from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.features.mel import band_edges
from resonance_engine.network.backbones import EnvelopeBackbone
from resonance_engine.network.export import export_onnx
from resonance_engine.network.files import load_network, save_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.network.quantization import quantize
from resonance_engine.network.semantic import SemanticBackbone
from resonance_engine.training.data.standardize import standardize
from training.default_model.heads import FAINTEST, set_heads
from training.default_model.pooled import pooled
from training.default_model.pretrained import TAGS
from training.default_model.recipe import LICENCE, NAME, SPEC, VERSION, ModelRecipe
from training.default_model.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from resonance_engine.training.data.dataset import WindowSet

CALIBRATION = 40  # songs that the eight-bit model's ranges and losses are measured on
WORTHWHILE = 200_000  # weights of a matrix that eight bits are worth it for: the semantic network's two
UNHEARD = 1e6  # a deviation that makes nothing of a band or an activation
MANIFEST = Manifest(NAME, VERSION, LICENCE, SPEC, FRONT_END_VERSION, tags=TAGS, backbones={"timbre": "envelope"})


def untrained(trunk: Mapping[str, Tensor], seed: int) -> ResonanceNetwork:
    """The network before it heard the corpus: the published trunk, everything else random."""
    torch.manual_seed(seed)
    network = ResonanceNetwork.from_manifest(MANIFEST)
    semantic = network.backbones["semantic"]
    assert isinstance(semantic, SemanticBackbone)
    semantic.trunk.load_state_dict(trunk)
    return network.eval()


def semantic_activations(trunk: Mapping[str, Tensor], windows: WindowSet) -> NDArray[np.float32]:
    """What the published trunk, which nothing changes, hears in windows: (windows, 1506)."""
    return pooled(untrained(trunk, 0).backbones["semantic"], "semantic", windows)


@dataclass(frozen=True)
class TrainingMaterial:
    """Windows, grouped by soundtrack, with what the published trunk hears in them (windows, 1506)."""

    windows: WindowSet
    semantic: NDArray[np.float32]

    def subset(self, songs: NDArray[np.intp]) -> TrainingMaterial:
        """That of some songs."""
        chosen = self.windows.subset(songs)
        return TrainingMaterial(chosen, self.semantic[chosen.places])


def made(
    trunk: Mapping[str, Tensor],
    material: TrainingMaterial,
    artist: NDArray[np.intp],
    recipe: ModelRecipe,
    encoded: TrainingMaterial | None = None,
) -> ResonanceNetwork:
    """The network that the recipe makes of some songs.

    `artist` (songs,) numbers artists, an unknown one being one by itself; `encoded` are the same windows after a lossy
    encoder had them.
    """
    network, windows = untrained(trunk, recipe.seed), material.windows
    standardize(network, windows)
    limit_timbre(network, recipe.ceiling_hz)
    scale_semantic(network, material.semantic)
    heard = activations(network, material)
    set_heads(
        network, heard, windows.group[windows.song], recipe.parts, activations(network, encoded) if encoded else None
    )
    tune(network, heard, windows.song, windows.group, artist, recipe)
    return network.eval()


def activations(network: ResonanceNetwork, material: TrainingMaterial) -> dict[str, NDArray[np.float32]]:
    """What the heads of a network are given of windows, (windows, length) by modality."""
    backbones, windows = network.backbones, material.windows
    found = {name: pooled(backbones[name], name, windows) for name in network.modalities if name != "semantic"}
    backbone = backbones["semantic"]
    assert isinstance(backbone, SemanticBackbone)
    return found | {"semantic": backbone.scale(torch.from_numpy(material.semantic)).numpy()}


def scale_semantic(network: ResonanceNetwork, semantic: NDArray[np.float32]) -> None:
    """Bring what the trunk hears in these windows to one scale; what hardly varies is not heard."""
    mean, deviation = semantic.mean(axis=0), semantic.std(axis=0)
    deviation[deviation < FAINTEST] = UNHEARD
    backbone = network.backbones["semantic"]
    assert isinstance(backbone, SemanticBackbone)
    backbone.scale.mean.copy_(torch.from_numpy(mean))
    backbone.scale.deviation.copy_(torch.from_numpy(deviation))


def limit_timbre(network: ResonanceNetwork, ceiling_hz: float) -> None:
    """Make timbre deaf above a frequency: lossy codecs cut there, and where they cut says nothing of the music."""
    framing = SPEC.modalities["timbre"].framing
    above = torch.from_numpy(band_edges(framing.rate, framing.n_mels)[1:-1] >= ceiling_hz)
    timbre = network.backbones["timbre"]
    assert isinstance(timbre, EnvelopeBackbone)
    timbre.standardize.deviation[above] = UNHEARD


def written(network: ResonanceNetwork, folder: Path) -> Manifest:
    """Weights and ONNX file of a network in a folder, checked against each other; the manifest with the model's id."""
    folder.mkdir(parents=True, exist_ok=True)
    save_network(network, MANIFEST, folder / "model.safetensors")
    network, sealed = load_network(folder / "model.safetensors")
    print(f"model {sealed.id}: {export_onnx(network, sealed, folder / 'model.onnx')}", flush=True)
    return sealed


def written_small(model: Path, folder: Path, windows: WindowSet) -> None:
    """The eight-bit variant of an exported model, in a folder of its own, by some of the songs that it was made of."""
    songs = np.linspace(0, len(windows) - 1, CALIBRATION).astype(np.intp)
    features = (windows.rows(np.arange(windows.first[song], windows.first[song + 1])) for song in songs)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"eight bits: {quantize(model, folder / 'model.onnx', features, WORTHWHILE)}", flush=True)
