"""Build networks from settings, and train them by proxy: part of the songs, few epochs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from resonance_engine.encoder.manifest import Manifest
from resonance_engine.errors import ConfigError
from resonance_engine.features.spec import FRONT_END_VERSION
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.training.config.config_file import change, flatten
from resonance_engine.training.data.songs import label_songs
from resonance_engine.training.learning.epochs import monitored_value
from resonance_engine.training.learning.loop import STATE, train
from resonance_engine.training.tuning.runs import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.training_data import TrainingData

    Judge = Callable[[int, float], None]
    Measure = Callable[[Config, Path, Judge], float]

OWN_LICENCE = "unspecified"  # what was trained on a private library is its owner's business
MACHINE_SETTINGS = ("data.root", "data.pairs_json", "cache.")  # where the music is, not which


def manifest_of(config: Config, name: str = "own", version: str = "1", licence: str = OWN_LICENCE) -> Manifest:
    """Return the manifest of the network that the settings describe, without an id, which depends on the weights."""
    kinds = {"timbre": config.model.timbre, "harmony": config.model.harmony, "rhythm": config.model.rhythm}
    return Manifest(
        name=name,
        version=version,
        licence=licence,
        spec=config.spec,
        front_end=FRONT_END_VERSION,
        fusion=config.fusion.mode,
        dimensions=config.fusion.embed_dim,
        backbones={modality: kind for modality, kind in kinds.items() if kind != "plain"},
    )


def network_of(config: Config) -> ResonanceNetwork:
    """Build the network that the settings describe, with random weights from `train.seed`."""
    torch.manual_seed(config.train.seed)
    return ResonanceNetwork.from_manifest(manifest_of(config))


def comparable_settings(config: Config) -> dict[str, object]:
    """Return all settings, by key, but those that may differ between machines which do the same work."""
    return {key: value for key, value in flatten(config).items() if not key.startswith(MACHINE_SETTINGS)}


def check_comparable(config: Config) -> None:
    """Raise ConfigError where the values of trials with different settings cannot be compared."""
    if config.train.early_stopping.monitor == "loss":
        raise ConfigError(
            "Trainings cannot be compared by their loss, which changes with the temperature that they have; set "
            "train.early_stopping.monitor to recall@5 and train.early_stopping.mode to max."
        )


def make_measure(data: TrainingData, songs: int, device: str) -> Measure:
    """Return a function that trains on `songs` of the training songs with other settings and returns their value.

    The value is the best epoch's of the number that early stopping monitors, on all held-out songs, the same for every
    trial; it is reported after every epoch.
    """
    monitor = data.config.train.early_stopping.monitor
    validate = data.validation()
    training = data.training
    _, groups = label_songs([data.songs[song] for song in training])
    chosen = [training[place] for place in choose_proxy_songs([data.keys[song] for song in training], groups, songs)]

    def measure(config: Config, folder: Path, judge: Judge) -> float:
        make_folder(folder)
        try:
            trained = train(
                network_of(config),
                data.windows(chosen),
                config.train,
                config.augment,
                device=device,
                validate=validate,
                run=folder,
                report=lambda epoch: judge(epoch.number, monitored_value(epoch, monitor)),
            )
        finally:
            # A trial is never resumed, and the weights of all of them take room.
            (folder / STATE).unlink(missing_ok=True)
        return math.nan if trained.best is None else monitored_value(trained.best, monitor)

    return measure


def choose_proxy_songs(keys: Sequence[bytes], groups: Sequence[str], count: int) -> list[int]:
    """Choose `count` songs, by position: whole groups, but for the last one.

    The groups come in the order of their content keys, which are as good as random and the same on every machine.
    """
    first: dict[str, bytes] = {}
    for key, group in zip(keys, groups, strict=True):
        first[group] = min(key, first.get(group, key))
    order = sorted(range(len(keys)), key=lambda place: (first[groups[place]], keys[place]))
    return sorted(order[:count])


def shorten(config: Config, epochs: int) -> Config:
    """Return the same settings with fewer epochs and the same share of warm-up."""
    warmup = round(config.train.warmup_epochs * epochs / config.train.epochs)
    return change(config, {"train.epochs": epochs, "train.warmup_epochs": min(warmup, epochs - 1)})
