"""What a search may try: settings, and how their values are drawn.

train.lr: {loguniform: [1e-5, 1e-3]}
train.temperature: {uniform: [0.03, 0.15]}
fusion.mode: [gated_add, gated_concat]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import ConfigError
from resonance_engine.training.config.config_file import naming
from resonance_engine.training.config.limits import KINDS, checked, shown, unknown
from resonance_engine.training.config.yaml_file import located, read_mapping, shipped_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHIPPED = "search_space.yaml"
SHORT = {
    "lr": "train.lr",
    "batch_identities": "train.batch_identities",
    "temperature": "train.temperature",
    "weight_decay": "train.weight_decay",
    "fusion_mode": "fusion.mode",
}
FIXED = ("data.", "cache.", "features.", "augment.audio.", "train.early_stopping.")
"""What all trials of a search share: the music, its features and how a trial is judged."""

FORM = "{loguniform: [LOW, HIGH]}, {uniform: [LOW, HIGH]} or a list of values"


@dataclass(frozen=True)
class Uniform:
    """A number from `low` to `high`, all equally likely."""

    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    """A number from `low` to `high`, both above 0, whose logarithms are equally likely."""

    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """One of these values."""

    values: tuple[str | int | float | bool, ...]


Parameter = Uniform | LogUniform | Choice


@dataclass(frozen=True)
class Space:
    """How each setting of a search is drawn, by key, such as "train.lr"."""

    parameters: dict[str, Parameter]


def read_space(path: Path | None) -> Space:
    """The search space in a YAML file, or the one that comes with Resonance.

    Raises ConfigError: one sentence with the file, the setting's key and what is wrong.
    """
    path = shipped_folder() / SHIPPED if path is None else path
    document = read_mapping(path)
    with naming(located(path)):
        return space_of(document)


def space_of(document: Mapping[Any, object]) -> Space:
    parameters: dict[str, Parameter] = {}
    for name, value in document.items():
        key = SHORT.get(name, str(name))
        if key not in KINDS:
            raise unknown(key)
        if key.startswith(FIXED):
            raise ConfigError(f"{key} is the same for all trials; search among model, fusion, augment and train.")
        if key in parameters:
            raise ConfigError(f"{key} stands twice, once as {name}; keep one.")
        parameters[key] = parameter(key, value)
    if not parameters:
        raise ConfigError("there is nothing to search for; name a setting, such as train.lr.")
    return Space(parameters)


def parameter(key: str, value: object) -> Parameter:
    if isinstance(value, dict) and len(value) == 1:
        ((kind, bounds),) = value.items()
        if kind == "choice":
            value = bounds
        elif kind in ("uniform", "loguniform"):
            return between(key, kind, bounds)
    if not isinstance(value, list):
        raise ConfigError(f"{key} needs {FORM}, not {shown(value)}.")
    values = tuple(checked(key, each) for each in value)
    if not values or len(set(values)) < len(values):
        raise ConfigError(f"{key} needs at least one value, and each only once, not {values}.")
    return Choice(values)


def between(key: str, kind: str, bounds: object) -> Parameter:
    if KINDS[key] is not float:
        raise ConfigError(f"{key} cannot be drawn {kind}, for it takes no fractions; give a list of values.")
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise ConfigError(f"{key} needs two numbers, {kind}: [LOW, HIGH], not {shown(bounds)}.")
    low, high = (checked(key, each) for each in bounds)
    if not low < high:
        raise ConfigError(f"{key} needs the lower number first, {kind}: [LOW, HIGH], not {bounds}.")
    if kind == "uniform":
        return Uniform(low, high)
    if low <= 0:
        raise ConfigError(f"{key} cannot be drawn loguniform from {low:g}; start above 0, or take uniform.")
    return LogUniform(low, high)
