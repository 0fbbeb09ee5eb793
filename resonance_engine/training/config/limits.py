"""The settings one by one: what each is called, what kind of value it takes and which values are possible."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from resonance_engine.errors import ConfigError
from resonance_engine.training.config.settings import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN = 60  # characters of a value that an error repeats


@dataclass(frozen=True)
class Range:
    """Numbers from `least` to `most`, `least` itself left out where the range is `open`."""

    least: float
    most: float
    open: bool = False

    def __contains__(self, value: float) -> bool:
        # Written so that NaN is in no range.
        return self.least <= value <= self.most and not (self.open and value == self.least)

    def __str__(self) -> str:
        least, most = f"{self.least:.10g}", f"{self.most:.10g}"
        return f"above {least} and at most {most}" if self.open else f"{least} to {most}"


LIMITS = {
    "data.held_out": Range(0.05, 0.5),
    "data.segment.seconds": Range(1, 600),
    "data.segment.hop_seconds": Range(0, 600, open=True),
    "data.segment.segments_per_song": Range(1, 1000),
    "features.mel.sr": Range(8000, 192000),
    "features.mel.n_mels": Range(8, 512),
    "features.mel.hop_ms": Range(1, 65),  # no longer than a spectrum, whatever the rate
    "features.tempo.win": Range(16, 4096),
    "fusion.embed_dim": Range(8, 4096),
    "augment.gain_db": Range(0, 24),
    "augment.tilt_db": Range(0, 24),
    "augment.curve_db": Range(0, 24),
    "augment.band_mask": Range(0, 0.9),
    "augment.time_mask": Range(0, 0.9),
    "augment.pitch_semitones": Range(0, 6),
    "augment.tempo_percent": Range(0, 30),
    "augment.mix": Range(0, 0.5),
    "augment.codec": Range(0, 1),
    "augment.chroma_noise": Range(0, 1),
    "augment.rhythm_noise": Range(0, 1),
    "augment.audio.views": Range(0, 16),
    "augment.audio.gain_db": Range(0, 24),
    "augment.audio.tilt_db": Range(0, 24),
    "augment.audio.pitch_semitones": Range(0, 6),
    "augment.audio.tempo_percent": Range(0, 30),
    "augment.audio.codec": Range(0, 1),
    "augment.audio.mix": Range(0, 1),
    "train.lr": Range(0, 1, open=True),
    "train.weight_decay": Range(0, 1),
    "train.epochs": Range(1, 100_000),
    "train.warmup_epochs": Range(0, 100_000),
    "train.batch_identities": Range(2, 4096),
    "train.views_per_song": Range(2, 64),
    "train.crop_seconds": Range(0.5, 600),
    "train.temperature": Range(0.001, 10),
    "train.margin": Range(0, 4, open=True),  # squared distances of unit vectors are at most 4
    "train.group_weight": Range(0, 100),
    "train.facet_weight": Range(0, 100),
    "train.gate_speed": Range(0, 1000),
    "train.accumulate_steps": Range(1, 1000),
    "train.seed": Range(0, 2**32 - 1),
    "train.early_stopping.patience": Range(1, 100_000),
    "train.early_stopping.min_delta": Range(0, 1),
}
CHOICES = {"features.chroma.bins": tuple(range(12, 121, 12))}

WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
EXPECTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def kinds_of(section: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(section)
    for each in fields(section):
        kind = hints[each.name]
        if is_dataclass(kind):
            assert isinstance(kind, type)
            yield from kinds_of(kind, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}", kind


KINDS: dict[str, Any] = dict(kinds_of(Config))
"""Every setting's key, such as `train.early_stopping.patience`, and its type, in the order of Config."""

SECTIONS = frozenset(key.rsplit(".", depth)[0] for key in KINDS for depth in range(1, key.count(".") + 1))


def checked(key: str, value: object) -> Any:
    """`value` as the setting `key` takes it.

    Numbers and truth values may be given as text, for that is what a command line has, and how YAML 1.1 reads 1e-4.
    Raises ConfigError for an unknown key, a value of another type and one that is not possible.
    """
    if key not in KINDS:
        raise unknown(key)
    kind = KINDS[key]
    if choices := get_args(kind) or CHOICES.get(key):
        return chosen(key, int_of(value) if kind is int else value, choices)
    parsed: Any = PARSERS[kind](value) if kind in PARSERS else value
    if type(parsed) is not kind:  # not isinstance, to which true is a whole number
        remedy = "; put it in quotes" if kind is str and isinstance(value, bool | int | float) else ""
        raise ConfigError(f"{key} must be {expected(key)}, not {shown(value)}{remedy}.")
    if key in LIMITS and parsed not in LIMITS[key]:
        raise ConfigError(f"{key} must be {expected(key)}, not {shown(parsed)}.")
    return parsed


def expected(key: str) -> str:
    """What the setting takes, as a clause: "a number, 0.05 to 0.5"."""
    limits = f", {LIMITS[key]}" if key in LIMITS else ""
    return f"{EXPECTED[KINDS[key]]}{limits}"


def chosen(key: str, value: object, choices: tuple[object, ...]) -> object:
    # `type` again, for 12.0 is no number of bins.
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return choice
    near = difflib.get_close_matches(value, [str(choice) for choice in choices], 1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else "."
    raise ConfigError(f"{key} must be {listed(choices)}, not {shown(value)}{hint}")


def truth_of(value: object) -> object:
    return WORDS.get(value.lower(), value) if isinstance(value, str) else value


def int_of(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        return value


def float_of(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    try:
        return float(value)
    except (ValueError, OverflowError):
        return value


PARSERS: dict[Any, Callable[[object], object]] = {bool: truth_of, int: int_of, float: float_of}


def unknown(key: str) -> ConfigError:
    """What to say of a key that no setting has: the one that was meant, or those that its section has."""
    if key in SECTIONS:
        return ConfigError(f"{key} is a section; name one of its settings: {', '.join(within(key))}.")
    section = key
    while section and section not in SECTIONS:
        section = section.rpartition(".")[0]
    if near := meant(key, section):
        return ConfigError(f"{shown_key(key)} is no setting; did you mean {' or '.join(near)}?")
    where = f"{section} has" if section else "there are"
    return ConfigError(f"{shown_key(key)} is no setting; {where} {', '.join(within(section))}.")


def meant(key: str, section: str) -> list[str]:
    """Settings of this name elsewhere, or the one that is spelt most alike, in the key's own section first."""
    name = key.rpartition(".")[2]
    named = {each.rpartition(".")[2]: each for each in KINDS}
    if name in named:
        return [each for each in KINDS if each.rpartition(".")[2] == name]
    for names in (within(section), named):
        if near := difflib.get_close_matches(name, list(names), 1):
            return [names[near[0]]]
    return []


def within(section: str) -> dict[str, str]:
    """What stands directly below a section, or at the top for an empty name: its name, and its whole key."""
    start = f"{section}." if section else ""
    names = (key.removeprefix(start).partition(".")[0] for key in KINDS if key.startswith(start))
    return {name: f"{start}{name}" for name in names}


def listed(choices: tuple[object, ...]) -> str:
    *first, last = map(str, choices)
    return f"{', '.join(first)} or {last}" if first else last


def shown_key(key: str) -> str:
    return key if key.isprintable() and 0 < len(key) <= SHOWN else repr(key)[:SHOWN]


def shown(value: object) -> str:
    """A value as a person would read it in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a section" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
