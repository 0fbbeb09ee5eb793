"""A file of settings and `--set` on the command line -> Config, checked; and back to text.

A file gives what differs from the defaults, in sections:

    train:
      lr: 1e-4
      early_stopping:
        patience: 20
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from resonance_engine.errors import ConfigError, printable
from resonance_engine.training.config.limits import KINDS, SECTIONS, checked, shown, within
from resonance_engine.training.config.settings import Config
from resonance_engine.training.config.yaml_file import located, read_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from _typeshed import DataclassInstance

    Section = TypeVar("Section", bound=DataclassInstance)


def read_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The settings in a YAML file, or the defaults, with overrides such as "train.lr=1e-4" on top.

    `config/base.yaml` and the other files that come with Resonance are found wherever it is installed. Raises
    ConfigError: one sentence with the file or override, the setting's key and what it takes.
    """
    values: dict[str, object] = {}
    if path is not None:
        document = read_mapping(path)
        with naming(located(path)):
            values |= given(document)
    for override in overrides:
        with naming(f"--set {override}"):
            key, value = assignment(override)
            values[key] = checked(key, value)
    return consistent(replaced(Config(), values))


def changed(config: Config, values: Mapping[str, object]) -> Config:
    """The same settings with other values for some, by key: {"train.lr": 1e-4}; raises ConfigError like a file."""
    return consistent(replaced(config, {key: checked(key, value) for key, value in values.items()}))


def flat(config: Config) -> dict[str, object]:
    """Every setting by key: {"train.lr": 0.00016, ...}."""
    values: dict[str, object] = {}
    for key in KINDS:
        value: Any = config
        for name in key.split("."):
            value = getattr(value, name)
        values[key] = value
    return values


def to_yaml(config: Config) -> str:
    """All settings as a file that `read_config` reads to the same."""
    import yaml

    text: str = yaml.safe_dump(asdict(config), sort_keys=False)
    return text


@contextmanager
def naming(source: Path | str) -> Iterator[None]:
    """Put the file or option that settings come from in front of what is wrong with them."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{printable(source)}: {error}") from error


def assignment(override: str) -> tuple[str, str]:
    """Key and value of "train.lr=1e-4"."""
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError("a setting is given as KEY=VALUE, such as train.lr=1e-4.")
    return key.strip(), value.strip()


def given(document: Mapping[Any, object], prefix: str = "") -> dict[str, object]:
    """The settings in a document of nested sections, by key, each checked by itself."""
    values: dict[str, object] = {}
    for name, value in document.items():
        key = f"{prefix}{name}"
        if key not in SECTIONS:
            values[key] = checked(key, value)
        elif isinstance(value, dict):
            values |= given(value, f"{key}.")
        elif value is not None:  # a section whose lines are all commented out
            raise ConfigError(f"{key} is a section of settings ({', '.join(within(key))}), not {shown(value)}.")
    return values


def replaced(section: Section, values: Mapping[str, object], prefix: str = "") -> Section:
    """The section, a frozen dataclass of values and sections, with these values, by key, in place of its own."""
    parts: dict[str, Any] = {}
    for each in fields(section):
        key, old = f"{prefix}{each.name}", getattr(section, each.name)
        parts[each.name] = replaced(old, values, f"{key}.") if key in SECTIONS else values.get(key, old)
    return replace(section, **parts)


def consistent(config: Config) -> Config:
    """The same settings, or ConfigError where two of them contradict each other."""
    from resonance_engine.features.spec import SemanticSpec  # with numpy, which `config.spec` needs below as well

    train, segment, stopping = config.train, config.data.segment, config.train.early_stopping
    if train.warmup_epochs > train.epochs:
        raise ConfigError(
            f"train.warmup_epochs must be at most train.epochs, {train.epochs}, not {train.warmup_epochs}."
        )
    if train.crop_seconds > segment.seconds:
        raise ConfigError(
            f"train.crop_seconds must be at most data.segment.seconds, {segment.seconds:g}, not {train.crop_seconds:g}."
        )
    mode = "min" if stopping.monitor == "loss" else "max"
    if stopping.mode != mode:
        raise ConfigError(
            f"train.early_stopping.mode must be {mode} where train.early_stopping.monitor is {stopping.monitor}, "
            f"not {stopping.mode}."
        )
    rate = SemanticSpec().framing.rate
    if config.features.semantic and config.features.mel.sr < rate:
        raise ConfigError(
            f"features.mel.sr must be at least {rate} where features.semantic is true, not {config.features.mel.sr}."
        )
    try:
        _ = config.spec
    except ValueError as error:
        # Within their limits, settings of the front end can only ask for more bands than there are frequencies.
        mel = config.features.mel
        raise ConfigError(
            f"features.mel.n_mels must be less than {mel.n_mels} where features.mel.sr is {mel.sr}, or some bands "
            "would hold no frequency."
        ) from error
    return config
