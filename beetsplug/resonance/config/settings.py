"""The `resonance:` section of the beets configuration, read once."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from beetsplug.resonance.config.options import LARGEST_COUNT, SETTINGS, suggest
from resonance_engine.search.caps import Caps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confuse import Subview

    from beetsplug.resonance.config.exclusions import Exclusion
    from beetsplug.resonance.config.profiles import Profile

AUTO, SHIPPED = SETTINGS["auto"].choices, SETTINGS["model"].default


def default(name: str) -> Any:
    """Return the default of a setting."""
    return SETTINGS[name].default


DEFAULT_CAPS = Caps(default("per_artist"), default("per_album"))


@dataclass(frozen=True)
class Settings:
    """The settings of a user, as the table of options describes them.

    `model` is the path of a model, or `default` for the one that was chosen with `beet resonance model use`. `caps` are
    the settings `per_artist` and `per_album`.
    """

    auto: str = default("auto")
    model: str = default("model")
    threads: int = default("threads")
    timeout: float = default("timeout")
    nice: int = default("nice")
    pace: int = default("pace")
    hours: str = default("hours")
    count: int = default("count")
    caps: Caps = DEFAULT_CAPS
    max_length: float = default("max_length")
    spacing: int = default("spacing")
    exclude: tuple[Exclusion, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the default settings as YAML has them."""
        return {name: copy(option.default) for name, option in SETTINGS.items()}

    @classmethod
    def from_config(cls, section: Subview) -> Settings:
        """Read a configuration section, to which the defaults are added; raises ConfigError or UserError."""
        if section.get() is None:  # the bare line `resonance:`
            return cls()
        check_names(section)
        auto, model, hours = (section[name] for name in ("auto", "model", "hours"))
        numbers = read_numbers(section)
        caps = Caps(numbers.pop("per_artist"), numbers.pop("per_album"))
        settings = cls(
            # YAML reads a bare `no` as false.
            auto=("no", "import")[auto.get()] if isinstance(auto.get(), bool) else auto.as_choice(AUTO),
            # Relative to the configuration's folder, not to wherever beet is started.
            model=SHIPPED if model.as_str() == SHIPPED else model.as_filename(),
            hours="" if hours.get() is None else hours.as_str(),
            caps=caps,
            **numbers,
        )
        return replace(settings, **read_rules(section, settings.hours))

    def workers(self, threads: int | None = None) -> int:
        """Return the number of worker processes; `threads` overrides the setting."""
        count = self.threads if threads is None else threads
        return count or min(os.cpu_count() or 1, 4)


def check_names(section: Subview) -> None:
    """Raise UserError for a key that is no setting."""
    for key in section.keys():  # noqa: SIM118 - a view is no mapping
        if key not in SETTINGS:
            hint = suggest(str(key), SETTINGS, f"the settings are {', '.join(SETTINGS)}")
            raise UserError(f"resonance.{key} in the configuration is no setting; {hint}")


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


def read_rules(section: Subview, hours: str) -> dict[str, Any]:
    """Read `exclude` and `profiles`, and check the hours; what is not set costs nothing."""
    rules: dict[str, Any] = {}
    exclude, profiles = section["exclude"].get(), section["profiles"]
    if hours:
        from beetsplug.resonance.config.hours import Hours

        Hours.parse(hours)
    if exclude not in (None, []):
        from beetsplug.resonance.config.exclusions import parse_exclusions

        rules["exclude"] = parse_exclusions(exclude)
    # One file may add to the profiles of another.
    options = profiles.flatten() if isinstance(profiles.get(), dict) else profiles.get()
    if options not in (None, {}):
        from beetsplug.resonance.config.profiles import parse_profiles

        rules["profiles"] = parse_profiles(options, profiles)
    return rules
