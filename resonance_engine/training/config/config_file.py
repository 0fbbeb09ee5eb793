"""Settings from a YAML file and from `--set` on the command line, checked; and back to text.

A file gives what differs from the defaults, in sections:

    train:
      lr: 1e-4
      early_stopping:
        patience: 20
"""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from resonance_engine.errors import ConfigError, printable
from resonance_engine.features.spec import InstrumentationSpec, SemanticSpec
from resonance_engine.files import expand_home
from resonance_engine.suggestions import nearest_names
from resonance_engine.training.config.settings import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed import DataclassInstance
    from pydantic_core import ErrorDetails

FOLDER = "config"
PACKAGE = Path(__file__).parents[2]
SHOWN = 60  # characters of a value that an error repeats


class UniqueKeyLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML publishes no types
    """A safe loader that refuses a key which stands twice in one section, of which YAML would drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if key.value != "<<" and isinstance(key.value, str):
                if key.value in keys:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value} stands twice; keep one", key.start_mark
                    )
                keys.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def shipped_folder() -> Path:
    """Return the folder of the files that come with Resonance: in an installed package, or beside it in a checkout."""
    installed = PACKAGE / FOLDER
    return installed if installed.is_dir() else PACKAGE.parent / FOLDER


def locate(path: Path) -> Path:
    """Return the file itself or, for a `config/NAME` that is absent, the shipped file of that name."""
    path = expand_home(path)
    shipped = shipped_folder() / path.name
    return shipped if path.parts[:-1] == (FOLDER,) and not path.exists() and shipped.is_file() else path


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the keys and values of a YAML file, none for an empty one; raises ConfigError."""
    path = locate(path)
    name = printable(path)
    try:
        document = yaml.load(path.read_bytes(), UniqueKeyLoader)  # noqa: S506, TID251 - a SafeLoader
    except FileNotFoundError as error:
        shipped = ", ".join(sorted(f"{FOLDER}/{file.name}" for file in shipped_folder().glob("*.yaml")))
        raise ConfigError(f"{name} is not there; the files that come with Resonance are {shipped}.") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {explain_yaml(error)}.") from error
    except (ValueError, RecursionError) as error:  # an impossible date or number, a bottomless nesting
        raise ConfigError(f"{name} is not valid YAML: {error}.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "a single value"
        raise ConfigError(f"{name} must hold sections such as `train:`, not {kind}.")
    return document


def explain_yaml(error: Any) -> str:
    """Return the line and the problem of a YAML error."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    return f"line {mark.line + 1}, {problem}" if mark else str(problem)


def flatten(section: DataclassInstance, prefix: str = "") -> dict[str, object]:
    """Return every setting of a section by its key: {"train.lr": 0.00016, ...} of a `Config`."""
    values: dict[str, object] = {}
    for field in fields(section):
        value = getattr(section, field.name)
        key = f"{prefix}{field.name}"
        is_section = is_dataclass(value) and not isinstance(value, type)
        values |= flatten(value, f"{key}.") if is_section else {key: value}
    return values


DEFAULTS = flatten(Config())
SECTIONS = frozenset(key.rsplit(".", depth)[0] for key in DEFAULTS for depth in range(1, key.count(".") + 1))


def read_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Return the settings in a YAML file, or the defaults, with overrides such as "train.lr=1e-4" on top.

    `config/base.yaml` and the other files that come with Resonance are found wherever it is installed. Raises
    ConfigError: one sentence with the file or override, the setting's key and what it takes.
    """
    document: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if path is not None:
        merge(document, read_mapping(path))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {printable(override)}: a setting is given as KEY=VALUE, such as train.lr=1e-4.")
        merge(document, {key.strip(): value.strip()})
        sources[key.strip()] = f"--set {override}"

    def source_of(key: str) -> Path | str | None:
        overriding = [source for name, source in sources.items() if f"{name}.".startswith(f"{key}.")]
        return overriding[-1] if overriding else path and locate(path)

    config = validate(document, source_of)
    check_consistency(config)
    return config


def change(config: Config, values: Mapping[str, object]) -> Config:
    """Return the settings with other values for some, by key: {"train.lr": 1e-4}; raises ConfigError like a file."""
    document = asdict(config)
    merge(document, values)
    changed = validate(document)
    check_consistency(changed)
    return changed


def parse_value(key: str, value: object) -> Any:
    """Return a value as the setting `key` takes it; raises ConfigError for an unknown key and an impossible value."""
    if key not in DEFAULTS:
        raise ConfigError(explain_unknown(key))
    document: dict[str, Any] = {}
    merge(document, {key: value})
    return flatten(validate(document))[key]


def validate(document: dict[str, Any], source_of: Callable[[str], Path | str | None] = lambda _: None) -> Config:
    """Return nested sections as settings, or raise the first error, behind the source of its key."""
    try:
        return Config(**document)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        source = source_of(key_of(details))
        raise ConfigError((f"{printable(source)}: " if source else "") + explain(details)) from error


def to_yaml(config: Config) -> str:
    """Return all settings as a file that `read_config` reads to the same."""
    text: str = yaml.safe_dump(asdict(config), sort_keys=False)
    return text


def merge(document: dict[str, Any], values: Mapping[Any, object], prefix: str = "") -> None:
    """Put values at dotted keys, or sections of values, into nested sections; an empty section changes nothing."""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if key in SECTIONS and isinstance(value, dict):
            merge(document, value, f"{key}.")
        elif key not in SECTIONS or value is not None:
            *sections, last = key.split(".")
            place = document
            for section in sections:
                if not isinstance(place.get(section), dict):
                    place[section] = {}
                place = place[section]
            place[last] = value


def check_consistency(config: Config) -> None:
    """Raise ConfigError where two settings contradict each other."""
    train, segment, stopping = config.train, config.data.segment, config.train.early_stopping
    mel = config.features.mel
    mode = "min" if stopping.monitor == "loss" else "max"
    if train.warmup_epochs > train.epochs:
        raise ConfigError(
            f"train.warmup_epochs must be at most train.epochs, {train.epochs}, not {train.warmup_epochs}."
        )
    if train.crop_seconds > segment.seconds:
        raise ConfigError(
            f"train.crop_seconds must be at most data.segment.seconds, {segment.seconds:g}, not {train.crop_seconds:g}."
        )
    if stopping.mode != mode:
        raise ConfigError(
            f"train.early_stopping.mode must be {mode} where train.early_stopping.monitor is {stopping.monitor}, "
            f"not {stopping.mode}."
        )
    for name, spec in {"semantic": SemanticSpec(), "instrumentation": InstrumentationSpec()}.items():
        if getattr(config.features, name) and mel.sr < (rate := spec.framing.rate):
            raise ConfigError(f"features.mel.sr must be at least {rate} where features.{name} is true, not {mel.sr}.")
    try:
        _ = config.spec
    except ValueError as error:
        # Within their limits, settings of the front end can only ask for more bands than there are frequencies.
        raise ConfigError(
            f"features.mel.n_mels must be less than {mel.n_mels} where features.mel.sr is {mel.sr}, or some bands "
            "would hold no frequency."
        ) from error


def key_of(details: ErrorDetails) -> str:
    return ".".join(map(str, details["loc"]))


def explain(details: ErrorDetails) -> str:
    """Return one of pydantic's errors as a sentence with the key, what it takes and what it was given."""
    key, kind, value = key_of(details), details["type"], details["input"]
    if kind == "unexpected_keyword_argument":
        return explain_unknown(key)
    if key in SECTIONS:
        names = ", ".join(base_name(below) for below in directly_below(key))
        return f"{key} is a section; give one of its settings ({names}), not {show(value)}."
    remedy = "; put it in quotes" if kind == "string_type" and isinstance(value, bool | int | float) else ""
    return f"{key} {details['msg'].replace('Input should', 'must')}, not {show(value)}{remedy}."


def explain_unknown(key: str) -> str:
    """Return a sentence about a key that is no setting: the one that was probably meant, or those of its section."""
    if key in SECTIONS:
        return f"{key} is a section; name one of its settings: {', '.join(map(base_name, directly_below(key)))}."
    section = key
    while section and section not in SECTIONS:
        section = section.rpartition(".")[0]
    shown = key if key.isprintable() and 0 < len(key) <= SHOWN else repr(key)[:SHOWN]
    siblings = directly_below(section)
    for keys in ([same for same in DEFAULTS if base_name(same) == base_name(key)], siblings, list(DEFAULTS)):
        names = nearest_names(base_name(key), map(base_name, keys))
        if similar := [same for same in keys if base_name(same) in names]:
            return f"{shown} is no setting; did you mean {' or '.join(similar)}?"
    present = f"{section} has" if section else "there are"
    return f"{shown} is no setting; {present} {', '.join(map(base_name, siblings))}."


def base_name(key: str) -> str:
    return key.rpartition(".")[2]


def directly_below(section: str) -> list[str]:
    """Return the keys of the settings and sections of a section, at the top for an empty one, in their order."""
    start = f"{section}." if section else ""
    names = (key.removeprefix(start).partition(".")[0] for key in DEFAULTS if key.startswith(start))
    return list(dict.fromkeys(f"{start}{name}" for name in names))


def show(value: object) -> str:
    """Return a value as it reads in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a section" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
