"""The `resonance:` section of the beets configuration, read once: settings, hours and exclusions."""

from __future__ import annotations

import os
import re
from copy import copy
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, Self

from beets.exceptions import UserError

from beetsplug.resonance.config.options import LARGEST_COUNT, SETTINGS, split_query
from resonance_engine.encoder.model_files import SHIPPED_NAMES
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confuse import Subview

    from beetsplug.resonance.config.profiles import Profile
    from resonance_engine.search.constraints import Caps

# Compiled where they are needed: every start of beets loads this module.
HOURS = r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*"
DAY_MINUTES = 24 * 60
EXCLUDE = "resonance.exclude in the configuration"
RULE_KEYS = ("query", "except")
LEAP_YEAR = 2000  # has every day that a year can have
DAY = r"(\d\d?)(?:-(\d\d?))?"
INDEX_METHODS = SETTINGS["index"].choices
AUTO, SHIPPED = SETTINGS["auto"].choices, SETTINGS["model"].default


def default(name: str) -> Any:
    """Return the default of a setting."""
    return SETTINGS[name].default


def default_caps() -> Caps:
    """Return the caps of lists that no setting changes."""
    from resonance_engine.search.constraints import Caps

    return Caps(default("per_artist"), default("per_album"))


@dataclass(frozen=True)
class Hours:
    """Spans of minutes of the day, whose ends are no part of them; one that ends before it begins goes over midnight.

    No spans at all stand for the whole day.
    """

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a setting such as "22:00-07:00" or "12:00-13:30, 22:00-07:00"; raises UserError."""
        return cls(tuple(parse_span(part, text) for part in text.split(",")) if text.strip() else ())

    def __contains__(self, moment: time) -> bool:
        """Whether a time of day lies in one of them."""
        minute = minute_of(moment)
        return not self.spans or any(
            first <= minute < end if first < end else minute >= first or minute < end for first, end in self.spans
        )

    def next_start(self, moment: time) -> str:
        """Return when the next span begins after a time of day outside all of them, such as "22:00"."""
        minute = minute_of(moment)
        first = min((first for first, _ in self.spans), key=lambda first: (first - minute) % DAY_MINUTES)
        return f"{first // 60:02d}:{first % 60:02d}"


@dataclass(frozen=True)
class Season:
    """The days from one to another, both included, as (month, day); one that ends before it begins spans new year."""

    first: tuple[int, int]
    last: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> Season:
        """Parse a season such as "12-01..12-31", "12-24" or "11..01", whole months; ValueError for anything else."""
        beginning, dots, end = text.partition("..")
        first = parse_days(beginning)
        return cls(first[0], (parse_days(end) if dots else first)[1])

    def __contains__(self, day: date) -> bool:
        at = day.month, day.day
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last


@dataclass(frozen=True)
class Exclusion:
    """A beets query whose matches never come up, except in a season, if one is given."""

    query: str
    season: Season | None = None


@dataclass(frozen=True)
class Settings:
    """The settings of a user, as the table of options describes them.

    `model` is the path of a model, or the name of one that comes with the program; `default` leaves the choice to
    `beet resonance model use`. `sidecar` is the address of a shared store, or empty; `index` the method of search.
    `caps` are the settings `per_artist` and `per_album`.
    """

    auto: str = default("auto")
    model: str = default("model")
    sidecar: str = field(default=default("sidecar"), repr=False, kw_only=True)  # for it may have a password in it
    threads: int = default("threads")
    timeout: float = default("timeout")
    nice: int = default("nice")
    pace: int = default("pace")
    hours: str = default("hours")
    index: str = default("index")
    count: int = default("count")
    caps: Caps = field(default_factory=default_caps)
    max_length: float = default("max_length")
    spacing: int = default("spacing")
    exclude: tuple[Exclusion, ...] = ()
    profiles: Mapping[str, Profile | UserError] = field(default_factory=dict)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the default settings as YAML has them."""
        return {name: copy(option.default) for name, option in SETTINGS.items()}

    @classmethod
    def from_config(cls, section: Subview) -> Settings:
        """Read a configuration section, to which the defaults are added; raises ConfigError or UserError."""
        if section.get() is None:  # the bare line `resonance:`
            return cls()
        from resonance_engine.search.constraints import Caps

        for key in section.keys():  # noqa: SIM118 - a view is no mapping
            if key not in SETTINGS:
                hint = suggest(str(key), SETTINGS, f"the settings are {', '.join(SETTINGS)}")
                raise UserError(f"resonance.{key} in the configuration is no setting; {hint}")
        auto, model, hours, profiles = (section[name] for name in ("auto", "model", "hours", "profiles"))
        exclude = section["exclude"].get()
        numbers = read_numbers(section)
        settings = cls(
            # YAML reads a bare `no` as false, a bare `yes` as true.
            auto=("no", "yes")[auto.get()] if isinstance(auto.get(), bool) else auto.as_choice(AUTO),
            # Relative to the configuration's folder, not to wherever beet is started.
            model=model.as_str() if model.as_str() in SHIPPED_NAMES else model.as_filename(),
            sidecar=cls.of_sidecar(section).sidecar,
            hours="" if hours.get() is None else hours.as_str(),
            index=section["index"].as_choice(INDEX_METHODS),
            caps=Caps(numbers.pop("per_artist"), numbers.pop("per_album")),
            exclude=() if exclude in (None, []) else parse_exclusions(exclude),
            profiles={} if profiles.get() in (None, {}) else read_profiles(profiles),
            **numbers,
        )
        if settings.hours:
            Hours.parse(settings.hours)
        return settings

    @classmethod
    def of_sidecar(cls, section: Subview) -> Settings:
        """Read where the data are kept alone: a mistake in another setting must not hide them."""
        view = section["sidecar"]
        return cls(sidecar="" if view.get() is None else view.as_str())

    def workers(self, threads: int | None = None) -> int:
        """Return the number of worker processes; `threads` overrides the setting."""
        count = self.threads if threads is None else threads
        return count or min(os.cpu_count() or 1, 4)


def read_numbers(section: Subview) -> dict[str, Any]:
    """Read the settings that are numbers, checked against their ranges."""
    numbers = {}
    for name, option in SETTINGS.items():
        if option.range is not None:
            number = section[name].get(int) if option.type is int else section[name].as_number()
            low, high = option.range[0], min(option.range[1], LARGEST_COUNT)
            if not low <= number <= high:
                raise UserError(f"resonance.{name} in the configuration must be {low} to {high}, not {number}")
            numbers[name] = number
    return numbers


def read_profiles(view: Subview) -> Mapping[str, Profile | UserError]:
    """Read the setting `profiles`; one file of the configuration may add to those of another."""
    from beetsplug.resonance.config.profiles import parse_profiles

    return parse_profiles(view.flatten() if isinstance(view.get(), dict) else view.get(), view)


def minute_of(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def parse_span(part: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(HOURS, part)
    numbers = [int(number) for number in match.groups()] if match else []
    if numbers and numbers[1] < 60 and numbers[3] < 60:
        first, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if first < DAY_MINUTES and end <= DAY_MINUTES and first != end:
            return first, end
    raise UserError(
        f"resonance.hours in the configuration must be like 22:00-07:00, several with commas between, not {text!r}"
    )


def parse_exclusions(value: Any) -> tuple[Exclusion, ...]:
    """Parse the setting `exclude`: a list of queries, each a text or `{query: ..., except: 12-01..12-31}`.

    Raises UserError for anything else.
    """
    return tuple(map(parse_exclusion, value if isinstance(value, list) else [value]))


def parse_exclusion(value: Any) -> Exclusion:
    rule = {"query": value} if isinstance(value, str) else value
    if not isinstance(rule, dict):
        raise UserError(f"{EXCLUDE} lists beets queries, and {value!r} is none; write for example genres:audiobook")
    for key in rule:
        if key not in RULE_KEYS:
            hint = suggest(str(key), RULE_KEYS, f"a rule has {' and '.join(RULE_KEYS)}")
            raise UserError(f"{EXCLUDE}: {key} is no part of a rule; {hint}")
    query = rule.get("query")
    if not isinstance(query, str) or not split_query(query):
        raise UserError(f"{EXCLUDE}: {value!r} has no query; an empty one would exclude every track")
    if rule.get("except") is None:
        return Exclusion(query)
    try:
        return Exclusion(query, Season.parse(str(rule["except"])))
    except ValueError as error:
        raise UserError(f"{EXCLUDE}: {error}") from error


def parse_days(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Parse a day "12-24" or a month "12" to its first and last day, as (month, day)."""
    match = re.fullmatch(DAY, text.strip())
    try:
        if match is None:
            raise ValueError
        first = date(LEAP_YEAR, int(match[1]), int(match[2] or 1))
    except ValueError:
        raise ValueError(f"{text.strip()!r} is no day of the year; write a season as 12-01..12-31") from None
    if match[2]:
        return (first.month, first.day), (first.month, first.day)
    last = date(LEAP_YEAR + first.month // 12, first.month % 12 + 1, 1) - timedelta(days=1)
    return (first.month, first.day), (last.month, last.day)
