"""A part of the music and of the time: what tells soon how good settings are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resonance_engine.errors import ConfigError
from resonance_engine.training.architecture import network_of
from resonance_engine.training.config.config_file import change, flatten
from resonance_engine.training.data.songs import label_songs
from resonance_engine.training.learning.loop import STATE, train
from resonance_engine.training.learning.schedule import monitored_value
from resonance_engine.training.tuning.runs import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.training_data import TrainingData

    Judge = Callable[[int, float], None]
    Measure = Callable[[Config, Path, Judge], float]


MACHINE_SETTINGS = ("data.root", "data.pairs_json", "cache.")  # settings that say where the music is, not which


def comparable_settings(config: Config) -> dict[str, object]:
    """All settings, by key, but those that may differ between machines which do the same work."""
    return {key: value for key, value in flatten(config).items() if not key.startswith(MACHINE_SETTINGS)}


def check_comparable(config: Config) -> None:
    """Raise ConfigError where the values of trials with different settings mean different things."""
    if config.train.early_stopping.monitor == "loss":
        raise ConfigError(
            "Trainings cannot be compared by their loss, which changes with the temperature that they have; set "
            "train.early_stopping.monitor to recall@5 and train.early_stopping.mode to max."
        )


def make_measure(material: TrainingData, songs: int, device: str) -> Measure:
    """What trains on so many of the training songs with other settings, in a folder, and says how good they are.

    The value is the best epoch's of the number that early stopping monitors, on all held-out songs, the same for every
    trial; each epoch's is told as it comes.
    """
    monitor = material.config.train.early_stopping.monitor
    validate = material.validation()
    training = material.training
    _, groups = label_songs([material.songs[song] for song in training])
    chosen = [
        training[place] for place in choose_proxy_songs([material.keys[song] for song in training], groups, songs)
    ]

    def measure(config: Config, folder: Path, judge: Judge) -> float:
        make_folder(folder)
        try:
            trained = train(
                network_of(config),
                material.windows(chosen),
                config.train,
                config.augment,
                device=device,
                validate=validate,
                run=folder,
                report=lambda epoch: judge(epoch.number, monitored_value(epoch, monitor)),
            )
        finally:
            # A trial is never taken up again, and the weights of all of them take up room.
            (folder / STATE).unlink(missing_ok=True)
        return math.nan if trained.best is None else monitored_value(trained.best, monitor)

    return measure


def choose_proxy_songs(keys: Sequence[bytes], groups: Sequence[str], count: int) -> list[int]:
    """Positions of so many songs: whole groups, but for the last one.

    The groups come in the order of their content keys, which are as good as random and the same on every machine.
    """
    first: dict[str, bytes] = {}
    for key, group in zip(keys, groups, strict=True):
        first[group] = min(key, first.get(group, key))
    order = sorted(range(len(keys)), key=lambda place: (first[groups[place]], keys[place]))
    return sorted(order[:count])


def shorten(config: Config, epochs: int) -> Config:
    """The same training in fewer epochs, with the same share of them for the warm-up."""
    warmup = round(config.train.warmup_epochs * epochs / config.train.epochs)
    return change(config, {"train.epochs": epochs, "train.warmup_epochs": min(warmup, epochs - 1)})
