"""musicnn and YAMNet as files of another project: with their YAML they give what this project computes with them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import librosa
import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch", reason="needs the training extra")

import torch

from beetsplug.resonance.library.networks import read_network
from benchmarks.published_networks import (
    MUSICNN,
    MUSICNN_OUTPUTS,
    YAMNET,
    PublishedNetwork,
    YamnetEmbeddings,
    export_patches,
    write_network,
)
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.encoder.model_files import BASE_FILE, SHIPPED
from resonance_engine.encoder.network_manifest import Network, NetworkManifest
from resonance_engine.encoder.onnx_metadata import add_metadata
from resonance_engine.errors import ModelError
from resonance_engine.features.front_end import FrontEnd, resample
from resonance_engine.features.spec import Decoding, FeatureSpec, InstrumentationSpec
from resonance_engine.network.files import load_network
from resonance_engine.network.musicnn import FRAMES
from resonance_engine.network.pretrained import INSTRUMENTATION_LEVEL, InstrumentationBackbone, SemanticBackbone
from resonance_engine.worker.trial import make_signals, try_model
from tests.signals import tones
from training.default_model.pretrained import YAMNET as YAMNET_CHECKPOINT
from training.default_model.pretrained import yamnet_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from resonance_engine.encoder.backends import Outputs

SECONDS = 18
DEFAULT = Decoding()


class Facet(torch.nn.Module):
    """The shipped model's semantic facet of a window in decibels, (windows, 1125 frames, 96 bands)."""

    def __init__(self, backbone: SemanticBackbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        facet: Tensor = self.backbone(x.transpose(1, 2))
        return facet


@pytest.fixture(scope="module")
def backbone() -> SemanticBackbone:
    found = load_network(SHIPPED)[0].backbones["semantic"]
    assert isinstance(found, SemanticBackbone)
    return found


@pytest.fixture(scope="module")
def trunk_file(backbone: SemanticBackbone) -> bytes:
    return export_patches(backbone.trunk, (FRAMES, 96), MUSICNN_OUTPUTS)


def write(folder: Path, content: bytes, document: dict[str, Any]) -> Path:
    network = Network.parse(document)
    if network.part == "semantic":
        (folder / BASE_FILE).write_bytes(SHIPPED.read_bytes())
        manifest = NetworkManifest(network, base=Encoder().manifest.id)
    else:
        manifest = NetworkManifest(network, FeatureSpec())
    path = folder / "model.onnx"
    path.write_bytes(add_metadata(content, METADATA_KEY, manifest.seal([content]).to_json()))
    return path


def music(decoding: Decoding = DEFAULT) -> NDArray[np.float32]:
    """Windows of 18 s: chords in noise, and the signals of a trial."""
    noise = np.random.default_rng(0).standard_normal(44100 * SECONDS) * np.hanning(44100 * SECONDS)
    chord = tones((0, 4, 7), seconds=SECONDS) + 0.05 * noise.astype(np.float32)
    windows = [chord, chord[::-1] * np.float32(0.1), *(each[0] for each in make_signals(DEFAULT).values())]
    if decoding.rate == DEFAULT.rate:
        return np.stack(windows)
    return np.stack([resample(window, DEFAULT, decoding.rate) for window in windows])


def test_the_facet_of_the_shipped_model(backbone: SemanticBackbone, tmp_path: Path) -> None:
    """The backbone as one file over a whole window gives the shipped model's own facet, embeddings and tags."""
    document = {
        **MUSICNN,
        "input": {
            **MUSICNN["input"],
            "logarithm": {"kind": "db", "floor": 1e-10},
            "patch": 1125,
            "patch_hop": 1125,
        },
        "output": {"name": "facet"},
        "part": "semantic",
    }
    content = export_patches(Facet(backbone), (1125, 96), ["facet"])
    windows = music(Encoder().manifest.spec.decoding)
    part, shipped = (run(encoder, windows) for encoder in (Encoder(write(tmp_path, content, document)), Encoder()))
    width = shipped[0].shape[1]
    assert part[0].shape == (len(windows), 2 * width)
    assert part[1][:, 3, width:] == pytest.approx(shipped[1][:, 3], abs=1e-4)
    others = [place for place in range(shipped[1].shape[1]) if place != 3]
    assert np.array_equal(part[1][:, others, :width], shipped[1][:, others])
    assert np.array_equal(part[2], shipped[2])
    assert np.array_equal(part[3], shipped[3])
    # Facets lie in numbers of their own, so each has its share, and every similarity is that of the shipped model.
    assert part[0] @ part[0].T == pytest.approx(shipped[0] @ shipped[0].T, abs=1e-4)


def run(encoder: Encoder, windows: NDArray[np.float32]) -> Outputs:
    found = encoder.front_end(windows)
    return encoder.backend.run({name: found[name] for name in encoder.manifest.inputs})


def test_the_published_network(backbone: SemanticBackbone, trunk_file: bytes, tmp_path: Path) -> None:
    """From sound to vectors, against librosa and PyTorch, as musicnn's own program computes its input."""
    encoder = Encoder(write(tmp_path, trunk_file, MUSICNN))
    windows = music()
    embeddings, _, _ = run(encoder, windows)
    expected = []
    for window in windows:
        samples = resample(window, Decoding(), 16000)
        bands = librosa.feature.melspectrogram(y=samples, sr=16000, hop_length=256, n_fft=512, n_mels=96)
        frames = np.log10(10000 * bands + 1).T.astype(np.float32)
        patches = torch.from_numpy(frames[: len(frames) // FRAMES * FRAMES].reshape(-1, FRAMES, 96))
        with torch.inference_mode():
            expected.append(backbone.trunk(patches)[1].mean(dim=0).numpy())
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    assert (embeddings * (expected / lengths)).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_shipped_model_s_activations(backbone: SemanticBackbone, trunk_file: bytes, tmp_path: Path) -> None:
    """At the level that the shipped model brings windows to, its activations are those of the network as a file."""
    windows = music()[:2]
    spec = replace(Encoder().manifest.spec, decoding=DEFAULT)
    windows, decibels = at_level(windows, spec, "semantic", backbone.levelling.level)
    with torch.inference_mode():
        activations = backbone.pool_and_tag(torch.from_numpy(decibels))[0].numpy()
    embeddings, _, _ = run(Encoder(write(tmp_path, trunk_file, MUSICNN)), windows)
    cosines = (embeddings * activations).sum(axis=1) / np.linalg.norm(activations, axis=1)
    assert cosines == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("output", "pooling", "width"), [("hidden", "mean+std", 400), ("tags", "max+mean", 100)])
def test_other_outputs(trunk_file: bytes, tmp_path: Path, output: str, pooling: str, width: int) -> None:
    encoder = Encoder(write(tmp_path, trunk_file, {**MUSICNN, "output": {"name": output}, "pooling": pooling}))
    assert encoder.manifest.dimensions == width
    assert try_model(encoder) > 0


def at_level(
    windows: NDArray[np.float32], spec: FeatureSpec, modality: str, level: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows at the mean power that a backbone brings them to, and their feature in decibels."""
    front_end = FrontEnd(spec)
    for _ in range(2):  # a level by which nothing falls below the feature's -100 dB
        power = (10 ** (front_end(windows)[modality] / 10)).mean(axis=(1, 2))
        windows = windows * np.sqrt(level / power, dtype=np.float32)[:, np.newaxis]
    return windows, front_end(windows)[modality]


PRETRAINED = Path(os.environ.get("RESONANCE_CORPUS", "")) / "pretrained"


@pytest.fixture(scope="module")
def instrumentation() -> InstrumentationBackbone:
    """The backbone around YAMNet, with the published weights where they were fetched, else with random ones."""
    torch.manual_seed(0)
    backbone = InstrumentationBackbone(64, 64)
    if (PRETRAINED / YAMNET_CHECKPOINT.folder).is_dir():
        backbone.trunk.load_state_dict(yamnet_weights(PRETRAINED))
    return backbone.eval()


def test_yamnet(instrumentation: InstrumentationBackbone, tmp_path: Path) -> None:
    """Mean and deviation over patches of its five layers, as the instrumentation modality pools them."""
    side_by_side = YAMNET["input"] | {"patch_hop": 96}
    document = YAMNET | {"input": side_by_side, "output": {"name": "pooled"}, "pooling": "mean+std"}
    content = export_patches(instrumentation.trunk, (96, 64), ["pooled", "classes"])
    encoder = Encoder(write(tmp_path, content, document | {"pooling": "mean"}))
    assert encoder.manifest.dimensions == 3200
    assert try_model(encoder) > 0
    spec = replace(FeatureSpec(), instrumentation=InstrumentationSpec())
    windows, decibels = at_level(music()[:2], spec, "instrumentation", INSTRUMENTATION_LEVEL.level)
    with torch.inference_mode():
        activations = instrumentation.pool_and_tag(torch.from_numpy(decibels))[0].numpy()[:, :3200]
    embeddings, _, _ = run(encoder, windows)
    cosines = (embeddings * activations).sum(axis=1) / np.linalg.norm(activations, axis=1)
    assert cosines == pytest.approx(1, abs=1e-5)
    with pytest.raises(ModelError, match="gives 6400 numbers a window after pooling; at most 4096 are taken"):
        Encoder(write(tmp_path, content, document))


def test_a_file_and_its_yaml_as_the_command_takes_them(
    instrumentation: InstrumentationBackbone, tmp_path: Path
) -> None:
    """What is published as YAMNet's embeddings: the last layer, averaged over patches that overlap by half."""
    path = tmp_path / "yamnet.onnx"
    write_network(PublishedNetwork(YamnetEmbeddings(instrumentation.trunk), (96, 64), ["embeddings"], YAMNET), path)
    assert read_network(path) == Network.parse(YAMNET)
    encoder = Encoder(write(tmp_path, path.read_bytes(), YAMNET))
    assert encoder.manifest.dimensions == 1024
