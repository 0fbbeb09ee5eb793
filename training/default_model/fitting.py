"""Fit a network to the features of some songs: pretrained trunks, scaled inputs, heads, gates."""

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
from resonance_engine.network.pretrained import TaggingBackbone
from resonance_engine.network.quantization import quantize
from resonance_engine.training.learning.loop import standardize
from training.default_model.heads import FAINTEST, pooled_activations, set_heads, tune
from training.default_model.recipe import BACKBONES, LICENCE, NAME, SPEC, VERSION, ModelRecipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.training.data.dataset import WindowSet
    from training.default_model.pretrained import Trunks

CALIBRATION = 40  # songs that the eight-bit model's ranges and losses are measured on
WORTHWHILE = 200_000  # weights of a matrix or a kernel from which on eight bits pay
MASKED = 1e6  # a deviation that scales a band or an activation to nothing


def describe_model(trunks: Trunks) -> Manifest:
    """Return the manifest of a model around these trunks, without its id."""
    return Manifest(NAME, VERSION, LICENCE, SPEC, FRONT_END_VERSION, tags=trunks.tags, backbones=dict(BACKBONES))


def initial_network(trunks: Trunks, seed: int) -> ResonanceNetwork:
    """Return the network before it is fitted: the published trunks, everything else random."""
    torch.manual_seed(seed)
    network = ResonanceNetwork.from_manifest(describe_model(trunks))
    for name, state in trunks.states.items():
        tagging_backbone(network, name).trunk.load_state_dict(state)
    return network.eval()


def tagging_backbone(network: ResonanceNetwork, name: str) -> TaggingBackbone:
    backbone = network.backbones[name]
    assert isinstance(backbone, TaggingBackbone)
    return backbone


def trunk_activations(trunks: Trunks, windows: WindowSet) -> dict[str, NDArray[np.float32]]:
    """Return the published trunks' activations (windows, length) by modality; fitting does not change the trunks."""
    network = initial_network(trunks, 0)
    return {name: pooled_activations(network.backbones[name], name, windows) for name in trunks.states}


@dataclass(frozen=True)
class TrainingWindows:
    """Windows, grouped by soundtrack, with the published trunks' activations (windows, length) by modality."""

    windows: WindowSet
    activations: Mapping[str, NDArray[np.float32]]

    def subset(self, songs: NDArray[np.intp]) -> TrainingWindows:
        """Return those of some songs."""
        windows = self.windows.subset(songs)
        return TrainingWindows(windows, {name: rows[windows.places] for name, rows in self.activations.items()})


def fit_network(
    trunks: Trunks,
    material: TrainingWindows,
    artist: NDArray[np.intp],
    recipe: ModelRecipe,
    copies: Sequence[TrainingWindows] = (),
) -> ResonanceNetwork:
    """Fit the recipe's network to some songs.

    `artist` (songs,) numbers artists, each unknown one by itself; `copies` are the windows of copies, one kind each.
    """
    network, windows = initial_network(trunks, recipe.seed), material.windows
    standardize(network, windows)
    limit_timbre(network, recipe.ceiling_hz)
    for name, activations in material.activations.items():
        scale_activations(tagging_backbone(network, name), activations)
    inputs = head_inputs(network, material)
    altered = [head_inputs(network, each) for each in copies]
    set_heads(network, inputs, windows.group[windows.song], recipe.parts, altered)
    tune(network, inputs, windows.song, windows.group, artist, recipe)
    return network.eval()


def head_inputs(network: ResonanceNetwork, material: TrainingWindows) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of a network's heads, (windows, length) by modality."""
    inputs = {}
    for name in network.modalities:
        if name in material.activations:
            scale = tagging_backbone(network, name).scale
            inputs[name] = scale(torch.from_numpy(material.activations[name])).numpy()
        else:
            inputs[name] = pooled_activations(network.backbones[name], name, material.windows)
    return inputs


def scale_activations(backbone: TaggingBackbone, activations: NDArray[np.float32]) -> None:
    """Standardise a trunk's activations over these windows; mask those that hardly vary."""
    deviation = activations.std(axis=0)
    deviation[deviation < FAINTEST] = MASKED
    backbone.scale.mean.copy_(torch.from_numpy(activations.mean(axis=0)))
    backbone.scale.deviation.copy_(torch.from_numpy(deviation))


def limit_timbre(network: ResonanceNetwork, ceiling_hz: float) -> None:
    """Mask the bands of timbre above a frequency: lossy codecs cut there, which depends on the codec, not the music."""
    framing = SPEC.modalities["timbre"].framing
    above = torch.from_numpy(band_edges(framing.rate, framing.n_mels)[1:-1] >= ceiling_hz)
    timbre = network.backbones["timbre"]
    assert isinstance(timbre, EnvelopeBackbone)
    timbre.standardize.deviation[above] = MASKED


def save_model(network: ResonanceNetwork, manifest: Manifest, folder: Path) -> Manifest:
    """Save a network as an ONNX file, which holds its weights too; return the manifest with the model's id."""
    folder.mkdir(parents=True, exist_ok=True)
    parity = export_onnx(network, manifest, folder / "model.onnx")
    sealed = load_network(folder / "model.onnx")[1]
    print(f"model {sealed.id}: {parity}", flush=True)
    return sealed


def save_quantized(model: Path, folder: Path, windows: WindowSet) -> None:
    """Save the eight-bit variant of an exported model, calibrated on some of the songs that it was fitted to."""
    songs = np.linspace(0, len(windows) - 1, CALIBRATION).astype(np.intp)
    features = (windows.rows(np.arange(windows.first[song], windows.first[song + 1])) for song in songs)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"eight bits: {quantize(model, folder / 'model.onnx', features, WORTHWHILE)}", flush=True)
