"""PyTorch networks for the front end of `tiny_models`, and their files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from resonance_engine.network.export import Parity, export_onnx
from resonance_engine.network.files import save_network
from resonance_engine.network.model import ResonanceNetwork
from tests.tiny_models import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.encoder.manifest import Manifest


@dataclass(frozen=True)
class Exported:
    """A network's files and manifest, and how far the exported one is from the original."""

    weights: Path
    onnx: Path
    manifest: Manifest
    parity: Parity


def tiny_network(
    fusion: str = "gated_add", seed: int = 0, backbone: str = "plain", manifest: Manifest = MANIFEST
) -> ResonanceNetwork:
    """Random weights, and statistics of batch normalisation that differ from those at birth."""
    torch.manual_seed(seed)
    backbones = {} if backbone == "plain" else dict.fromkeys(MANIFEST.modalities, backbone)
    network = ResonanceNetwork.from_manifest(replace(manifest, fusion=fusion, backbones=backbones))
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return network.eval()


class Exports(dict[str, Exported]):
    """Exports of tiny networks by their fusion; each is made once, for that takes seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, fusion: str) -> Exported:
        batch = 3 if fusion == "gated_concat" else None
        backbone = "residual" if fusion == "cross_attention" else "plain"
        self[fusion] = export(self.folder, fusion, batch, backbone)
        return self[fusion]


def export(
    folder: Path, fusion: str, batch: int | None, backbone: str = "plain", manifest: Manifest = MANIFEST
) -> Exported:
    network = tiny_network(fusion, backbone=backbone, manifest=manifest)
    weights, onnx = folder / f"{fusion}.safetensors", folder / f"{fusion}.onnx"
    backbones = {} if backbone == "plain" else dict.fromkeys(MANIFEST.modalities, backbone)
    manifest = save_network(network, replace(manifest, fusion=fusion, backbones=backbones), weights)
    return Exported(weights, onnx, manifest, export_onnx(network, manifest, onnx, batch))
