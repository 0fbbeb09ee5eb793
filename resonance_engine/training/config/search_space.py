"""What a search may try: Optuna distributions by the key of a setting, from YAML.

train.lr: {loguniform: [1e-5, 1e-3]}
train.temperature: {uniform: [0.03, 0.15]}
fusion.mode: [gated_add, gated_concat]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from resonance_engine.errors import ConfigError, printable
from resonance_engine.training.config.config_file import (
    DEFAULTS,
    locate,
    parse_value,
    read_mapping,
    shipped_folder,
    show,
)

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

Space = dict[str, BaseDistribution]


def read_space(path: Path | None) -> Space:
    """Return the search space in a YAML file, or the one that comes with Resonance.

    Raises ConfigError: one sentence with the file, the setting's key and what is wrong.
    """
    path = shipped_folder() / SHIPPED if path is None else path
    document = read_mapping(path)
    try:
        return space_of(document)
    except ConfigError as error:
        raise ConfigError(f"{printable(locate(path))}: {error}") from error


def space_of(document: Mapping[Any, object]) -> Space:
    space: Space = {}
    for name, value in document.items():
        key = SHORT.get(name, str(name))
        if key.startswith(FIXED) and key in DEFAULTS:
            raise ConfigError(f"{key} is the same for all trials; search among model, fusion, augment and train.")
        if key in space:
            raise ConfigError(f"{key} stands twice, once as {name}; keep one.")
        space[key] = distribution(key, value)
    if not space:
        raise ConfigError("there is nothing to search for; name a setting, such as train.lr.")
    return space


def distribution(key: str, value: object) -> BaseDistribution:
    default = parse_value(key, DEFAULTS.get(key))  # ConfigError for an unknown key
    if isinstance(value, dict) and len(value) == 1:
        ((kind, bounds),) = value.items()
        if kind == "choice":
            value = bounds
        elif kind in ("uniform", "loguniform"):
            if not isinstance(default, float):
                raise ConfigError(f"{key} cannot be drawn {kind}, for it takes no fractions; give a list of values.")
            return interval(key, kind, bounds)
    if not isinstance(value, list):
        raise ConfigError(f"{key} needs {FORM}, not {show(value)}.")
    values = tuple(parse_value(key, choice) for choice in value)
    if not values or len(set(values)) < len(values):
        raise ConfigError(f"{key} needs at least one value, and each only once, not {values}.")
    return CategoricalDistribution(values)


def interval(key: str, kind: str, bounds: object) -> FloatDistribution:
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise ConfigError(f"{key} needs two numbers, {kind}: [LOW, HIGH], not {show(bounds)}.")
    low, high = (parse_value(key, bound) for bound in bounds)
    if not low < high:
        raise ConfigError(f"{key} needs the lower number first, {kind}: [LOW, HIGH], not {bounds}.")
    if kind == "loguniform" and low <= 0:
        raise ConfigError(f"{key} cannot be drawn loguniform from {low:g}; start above 0, or take uniform.")
    return FloatDistribution(low, high, log=kind == "loguniform")
