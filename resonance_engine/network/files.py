"""A model's weights on disk, and running them: safetensors with the manifest in the header, or ONNX; no pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from resonance_engine.encoder.manifest import METADATA_KEY, Manifest, read_manifest
from resonance_engine.encoder.model_files import backend_of
from resonance_engine.encoder.onnx_metadata import strip_metadata
from resonance_engine.errors import ModelError, printable
from resonance_engine.features.spec import FRONT_END_VERSION
from resonance_engine.files import write_bytes
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.network.onnx_weights import read_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor


def weight_blocks(network: ResonanceNetwork) -> Iterable[bytes]:
    """Yield all parameters and buffers as bytes, by name, for the model's id."""
    for name, tensor in sorted(network.state_dict().items()):
        yield name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes()


def save_network(network: ResonanceNetwork, manifest: Manifest, path: Path) -> Manifest:
    """Write weights and manifest; returns the manifest with the id of these weights."""
    sealed = manifest.seal(weight_blocks(network))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(path, save(tensors, metadata={METADATA_KEY: sealed.to_json()}))
    return sealed


def load_network(path: Path) -> tuple[ResonanceNetwork, Manifest]:
    """Load the network of a weights file or of an exported model (.onnx), in evaluation mode.

    Both give the same network, bit for bit. Raises ModelError for anything else.
    """
    is_exported = backend_of(path) == "onnx"
    manifest, state = read_state(path) if is_exported else read_weights_file(path)
    try:
        network = ResonanceNetwork.from_manifest(manifest)
        network.load_state_dict(state)
    except ValueError as error:
        raise ModelError(
            f"{printable(path)} describes a network that cannot be built: {error}. Update Resonance if the model is "
            "newer than it, or train or install the model again."
        ) from error
    except RuntimeError as error:
        raise ModelError(
            f"{printable(path)} holds the weights of another network; train or install the model again."
        ) from error
    if is_exported and manifest.seal(weight_blocks(network)).id != manifest.id:
        raise ModelError(
            f"The weights in {printable(path)} are not those that its id {manifest.id} stands for; export or install "
            "the model again."
        )
    return network.eval(), manifest


def read_weights_file(path: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """Read the manifest and the weights of a safetensors file; raises ModelError for anything else."""
    try:
        with safe_open(str(path), framework="pt") as file:
            manifest = read_manifest(file.metadata() or {}, printable(path), FRONT_END_VERSION)
            return manifest, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        if is_pickle(path):
            raise ModelError(
                f"{printable(path)} is a pickle, as torch.save writes it; reading one can run any code, so Resonance "
                "reads weights from safetensors files and its own ONNX files alone: train the model again, or save its "
                "weights with resonance_engine.network.files.save_network."
            ) from error
        raise ModelError(
            f"{printable(path)} is not a readable weights file ({error}); train or install the model again."
        ) from error


def is_model_file(path: Path) -> bool:
    """Return whether a file is a model of this project, exported or weights, of whatever version."""
    try:
        if backend_of(path) == "onnx":
            return len(strip_metadata(path.read_bytes(), METADATA_KEY)) > 1
        with safe_open(str(path), framework="pt") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (ValueError, SafetensorError):
        return False


def is_pickle(path: Path) -> bool:
    """Return whether a file begins like one of torch.save: a zip archive, or a pickle of protocol 2 and later."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04", b"\x80\x05"))
    except OSError:
        return False


class TorchBackend:
    """The torch side of `encoder.Backend`."""

    def __init__(self, path: Path) -> None:
        self.network, self.manifest = load_network(path)

    def run(self, features: Mapping[str, NDArray[np.float32]]) -> tuple[NDArray[np.float32], ...]:
        inputs = [torch.from_numpy(np.ascontiguousarray(features[name])) for name in self.manifest.modalities]
        with torch.inference_mode():
            return tuple(output.numpy() for output in self.network(*inputs))
