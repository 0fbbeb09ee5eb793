"""Fit a network to the features of some songs: pretrained trunk, scaled inputs, heads, gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.encoder.manifest import Manifest
from resonance_engine.features.spec import FRONT_END_VERSION, band_edges
from resonance_engine.network.backbones import EnvelopeBackbone
from resonance_engine.network.export import export_onnx
from resonance_engine.network.files import load_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.network.pretrained import SemanticBackbone
from resonance_engine.network.quantization import quantize
from resonance_engine.training.learning.loop import standardize
from training.default_model.heads import FAINTEST, pooled_activations, set_heads, tune
from training.default_model.pretrained import TAGS
from training.default_model.recipe import LICENCE, NAME, SPEC, VERSION, ModelRecipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from resonance_engine.training.data.dataset import WindowSet

CALIBRATION = 40  # songs that the eight-bit model's ranges and losses are measured on
WORTHWHILE = 200_000  # weights of a matrix from which on eight bits pay: the semantic network's two
MASKED = 1e6  # a deviation that scales a band or an activation to nothing
MANIFEST = Manifest(NAME, VERSION, LICENCE, SPEC, FRONT_END_VERSION, tags=TAGS, backbones={"timbre": "envelope"})


def initial_network(trunk: Mapping[str, Tensor], seed: int) -> ResonanceNetwork:
    """Return the network before it is fitted: the published trunk, everything else random."""
    torch.manual_seed(seed)
    network = ResonanceNetwork.from_manifest(MANIFEST)
    semantic_backbone(network).trunk.load_state_dict(trunk)
    return network.eval()


def semantic_backbone(network: ResonanceNetwork) -> SemanticBackbone:
    backbone = network.backbones["semantic"]
    assert isinstance(backbone, SemanticBackbone)
    return backbone


def semantic_activations(trunk: Mapping[str, Tensor], windows: WindowSet) -> NDArray[np.float32]:
    """Return the published trunk's activations (windows, 1506); fitting does not change the trunk."""
    return pooled_activations(semantic_backbone(initial_network(trunk, 0)), "semantic", windows)


@dataclass(frozen=True)
class TrainingWindows:
    """Windows, grouped by soundtrack, with the published trunk's activations (windows, 1506)."""

    windows: WindowSet
    semantic: NDArray[np.float32]

    def subset(self, songs: NDArray[np.intp]) -> TrainingWindows:
        """Return those of some songs."""
        windows = self.windows.subset(songs)
        return TrainingWindows(windows, self.semantic[windows.places])


def fit_network(
    trunk: Mapping[str, Tensor],
    material: TrainingWindows,
    artist: NDArray[np.intp],
    recipe: ModelRecipe,
    encoded: TrainingWindows | None = None,
) -> ResonanceNetwork:
    """Fit the recipe's network to some songs.

    `artist` (songs,) numbers artists, each unknown one by itself; `encoded` are the same windows after lossy encoding.
    """
    network, windows = initial_network(trunk, recipe.seed), material.windows
    standardize(network, windows)
    limit_timbre(network, recipe.ceiling_hz)
    scale_semantic(network, material.semantic)
    inputs = head_inputs(network, material)
    set_heads(
        network, inputs, windows.group[windows.song], recipe.parts, head_inputs(network, encoded) if encoded else None
    )
    tune(network, inputs, windows.song, windows.group, artist, recipe)
    return network.eval()


def head_inputs(network: ResonanceNetwork, material: TrainingWindows) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of a network's heads, (windows, length) by modality."""
    backbones, windows = network.backbones, material.windows
    activations = {
        name: pooled_activations(backbones[name], name, windows) for name in network.modalities if name != "semantic"
    }
    return activations | {"semantic": semantic_backbone(network).scale(torch.from_numpy(material.semantic)).numpy()}


def scale_semantic(network: ResonanceNetwork, semantic: NDArray[np.float32]) -> None:
    """Standardise the trunk's activations over these windows; mask those that hardly vary."""
    deviation = semantic.std(axis=0)
    deviation[deviation < FAINTEST] = MASKED
    scale = semantic_backbone(network).scale
    scale.mean.copy_(torch.from_numpy(semantic.mean(axis=0)))
    scale.deviation.copy_(torch.from_numpy(deviation))


def limit_timbre(network: ResonanceNetwork, ceiling_hz: float) -> None:
    """Mask the bands of timbre above a frequency: lossy codecs cut there, which depends on the codec, not the music."""
    framing = SPEC.modalities["timbre"].framing
    above = torch.from_numpy(band_edges(framing.rate, framing.n_mels)[1:-1] >= ceiling_hz)
    timbre = network.backbones["timbre"]
    assert isinstance(timbre, EnvelopeBackbone)
    timbre.standardize.deviation[above] = MASKED


def save_model(network: ResonanceNetwork, folder: Path) -> Manifest:
    """Save a network as an ONNX file, which holds its weights too; return the manifest with the model's id."""
    folder.mkdir(parents=True, exist_ok=True)
    parity = export_onnx(network, MANIFEST, folder / "model.onnx")
    sealed = load_network(folder / "model.onnx")[1]
    print(f"model {sealed.id}: {parity}", flush=True)
    return sealed


def save_quantized(model: Path, folder: Path, windows: WindowSet) -> None:
    """Save the eight-bit variant of an exported model, calibrated on some of the songs that it was fitted to."""
    songs = np.linspace(0, len(windows) - 1, CALIBRATION).astype(np.intp)
    features = (windows.rows(np.arange(windows.first[song], windows.first[song + 1])) for song in songs)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"eight bits: {quantize(model, folder / 'model.onnx', features, WORTHWHILE)}", flush=True)
