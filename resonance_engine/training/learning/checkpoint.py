"""The state of a training run on disk, so that it can be resumed after a kill: safetensors, replaced atomically."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from resonance_engine.errors import TrainingError, printable
from resonance_engine.files import write_bytes
from resonance_engine.network.files import weight_blocks
from resonance_engine.training.config.config_file import flatten
from resonance_engine.training.learning.epochs import Epoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from torch import Tensor

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import AugmentSettings, TrainSettings
    from resonance_engine.training.data.dataset import WindowSet

METADATA_KEY = "training"
FORMAT = 1
HARMLESS = ("train.gradient_checkpointing",)  # settings that a run may change on its way: the numbers stay the same
HEADER_LENGTH = 8  # safetensors: a little-endian length, a JSON document of that length, the tensors

Weights = dict[str, "Tensor"]


@dataclass(frozen=True)
class TrainingState:
    """A run after some epochs: weights now and in the best epoch (empty where there is none), moments of AdamW.

    `moments` are keyed by the parameter's number and the moment's name, "3.exp_avg"; `scaler` is that of the loss
    (float16 alone).
    """

    epochs: list[Epoch]
    weights: Weights
    best: Weights
    moments: Weights
    scaler: dict[str, Any]


def identify_training(
    network: ResonanceNetwork, windows: WindowSet, train: TrainSettings, augment: AugmentSettings, standardized: bool
) -> dict[str, object]:
    """Return what identifies a training: settings by key, and digests of the music and of the initial network."""
    settings = flatten(train, "train.") | flatten(augment, "augment.")
    kept = {key: value for key, value in settings.items() if key not in HARMLESS}
    music = hashlib.blake2b(digest_size=16)
    for song, identity, group in zip(windows.songs, windows.identity, windows.group, strict=True):
        key, count = windows.source.keys[song], windows.source.first[song + 1] - windows.source.first[song]
        music.update(f"{key.hex()} {count} {identity} {group}\n".encode())
    start = hashlib.blake2b(digest_size=16)
    for block in weight_blocks(network):
        start.update(block)
    return {
        **kept,
        "standardized": standardized,
        "the music": music.hexdigest(),
        "the network it started from": start.hexdigest(),
    }


def moments_of(optimizer: torch.optim.Optimizer) -> Weights:
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def set_moments(optimizer: torch.optim.Optimizer, moments: Weights) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def write_state(path: Path, state: TrainingState, belongs: Mapping[str, object]) -> None:
    """Write a state atomically; OSError where that is impossible."""
    parts = {"weights": state.weights, "best": state.best, "moments": state.moments}
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }
    document = {
        "format": FORMAT,
        "belongs": dict(belongs),
        "epochs": [asdict(epoch) for epoch in state.epochs],
        "scaler": state.scaler,
    }
    write_bytes(path, save(tensors, metadata={METADATA_KEY: json.dumps(document)}))


def read_state(content: bytes, path: Path, belongs: Mapping[str, object]) -> TrainingState:
    """Read the state that `write_state` wrote to `path`.

    Raises TrainingError for anything that is no state, and for one that belongs to other settings, music or weights.
    """
    try:
        tensors = load(content)
        length = int.from_bytes(content[:HEADER_LENGTH], "little")
        header = json.loads(content[HEADER_LENGTH : HEADER_LENGTH + length])
        document = json.loads(header["__metadata__"][METADATA_KEY])
        written = document["belongs"] if document["format"] == FORMAT else {}
        epochs = [Epoch(**epoch) for epoch in document["epochs"]]
        parts: dict[str, Weights] = {"weights": {}, "best": {}, "moments": {}}
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = tensor
        state = TrainingState(epochs, **parts, scaler=document["scaler"])
        if state.best and state.best.keys() != state.weights.keys():
            raise ValueError("it lacks some of the best weights")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise state_error(path, str(error)) from error
    differing = [name for name in belongs if written.get(name) != belongs[name]]
    if differing:
        raise TrainingError(
            f"{printable(path)} belongs to another training: {describe_difference(differing, written, belongs)}. "
            "Delete it to begin anew, or use another folder."
        )
    return state


def state_error(path: Path, reason: str) -> TrainingError:
    return TrainingError(
        f"{printable(path)} is not a readable state of a training ({reason}); delete it to begin the training anew."
    )


def describe_difference(names: list[str], written: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Describe what differs, the settings with both values: "train.lr is 0.1 there and 0.2 now"."""
    parts = [
        f"{name} is {written.get(name)} there and {now[name]} now" if "." in name else f"{name} differs"
        for name in names[:3]
    ]
    return "; ".join(parts) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
