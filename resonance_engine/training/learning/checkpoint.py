"""The state of a training run on disk, so that it can be resumed after a kill: safetensors, replaced atomically."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from resonance_engine.errors import TrainingError, printable
from resonance_engine.files import write_bytes
from resonance_engine.network.files import weight_blocks
from resonance_engine.training.config.config_file import flatten
from resonance_engine.training.learning.epochs import Epoch, best_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import AugmentSettings, TrainSettings
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.learning.steps import OptimizerSteps

METADATA_KEY = "training"
FORMAT = 1
HARMLESS = ("train.gradient_checkpointing",)  # settings that a run may change on its way: the numbers stay the same
HEADER_LENGTH = 8  # safetensors: a little-endian length, a JSON document of that length, the tensors

Weights = dict[str, "Tensor"]


@dataclass
class TrainingProgress:
    """The epochs of training so far, and the weights after the best one; empty where there is none."""

    epochs: list[Epoch] = field(default_factory=list)
    best: Weights = field(default_factory=dict)

    def add(self, epoch: Epoch, steps: OptimizerSteps) -> None:
        self.epochs.append(epoch)
        if best_epoch(self.epochs, steps.train.early_stopping) is epoch:
            self.best = {name: values.detach().clone() for name, values in steps.network.state_dict().items()}


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


def write_state(path: Path, progress: TrainingProgress, steps: OptimizerSteps, identity: Mapping[str, object]) -> None:
    """Write a training's progress, weights and optimizer atomically; OSError where that is impossible.

    Moments of AdamW are keyed by the parameter's number and the moment's name, "3.exp_avg"; `scaler` is that of the
    loss (float16 alone).
    """
    optimizer: dict[int, Weights] = steps.optimizer.state_dict()["state"]
    moments = {f"{number}.{name}": value for number, values in optimizer.items() for name, value in values.items()}
    parts = {"weights": steps.network.state_dict(), "best": progress.best, "moments": moments}
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }
    document = {
        "format": FORMAT,
        "belongs": dict(identity),
        "epochs": [asdict(epoch) for epoch in progress.epochs],
        "scaler": steps.scaler.state_dict(),
    }
    write_bytes(path, save(tensors, metadata={METADATA_KEY: json.dumps(document)}))


def resume(path: Path, steps: OptimizerSteps, identity: Mapping[str, object]) -> TrainingProgress:
    """Resume from the state that `write_state` wrote and that the first process finds at `path`, if there is one.

    Raises TrainingError for anything that is no state, and for one that belongs to other settings, music or weights.
    """
    content = b""
    if steps.world.first and path.exists():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise state_error(path, str(error.strerror)) from error
        if not content:
            raise state_error(path, "it is empty")
    content = steps.world.broadcast(content)
    if not content:
        return TrainingProgress()
    try:
        document, parts = parse_state(content)
        written = document["belongs"] if document["format"] == FORMAT else {}
        progress = TrainingProgress([Epoch(**epoch) for epoch in document["epochs"]], parts["best"])
        scaler: dict[str, Any] = document["scaler"]
        moments = {int(number): values for number, values in group_by_prefix(parts["moments"]).items()}
        weights = parts["weights"]
        if progress.best and progress.best.keys() != weights.keys():
            raise ValueError("it lacks some of the best weights")
        differing = [name for name in identity if written.get(name) != identity[name]]
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise state_error(path, str(error)) from error
    if differing:
        raise TrainingError(
            f"{printable(path)} belongs to another training: {describe_difference(differing, written, identity)}. "
            "Delete it to begin anew, or use another folder."
        )
    try:
        steps.network.load_state_dict(weights)
        steps.optimizer.load_state_dict({**steps.optimizer.state_dict(), "state": moments})
    except (RuntimeError, ValueError) as error:
        raise state_error(path, "its tensors are not those of this network") from error
    if scaler:
        steps.scaler.load_state_dict(scaler)
    return progress


def parse_state(content: bytes) -> tuple[dict[str, Any], dict[str, Weights]]:
    """Parse the document of a state, and its tensors by part; raises SafetensorError, ValueError or KeyError."""
    length = int.from_bytes(content[:HEADER_LENGTH], "little")
    parts: dict[str, Weights] = {"best": {}, "moments": {}, **group_by_prefix(load(content))}
    header = json.loads(content[HEADER_LENGTH : HEADER_LENGTH + length])
    document: dict[str, Any] = json.loads(header["__metadata__"][METADATA_KEY])
    return document, parts


def group_by_prefix(tensors: Weights) -> dict[str, Weights]:
    """Group tensors by what is before the first dot of their names: {"a.b": x} as {"a": {"b": x}}."""
    groups: dict[str, Weights] = {}
    for key, tensor in tensors.items():
        prefix, _, name = key.partition(".")
        groups.setdefault(prefix, {})[name] = tensor
    return groups


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
