"""The `resonance:` section of the beets configuration, read once."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from beetsplug.resonance.config.options import LARGEST_COUNT, SETTINGS, suggest
from resonance_engine.search.caps import Caps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confuse import Subview

    from beetsplug.resonance.config.exclusions import Exclusion
    from beetsplug.resonance.config.options import Option
    from beetsplug.resonance.config.profiles import Profile

SHIPPED = SETTINGS["model"].default


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
        for key in section.keys():  # noqa: SIM118 - a view is no mapping
            if key not in SETTINGS:
                hint = suggest(str(key), SETTINGS, f"the settings are {', '.join(SETTINGS)}")
                raise UserError(f"resonance.{key} in the configuration is no setting; {hint}")
        from beetsplug.resonance.config.exclusions import parse_exclusions
        from beetsplug.resonance.config.hours import Hours
        from beetsplug.resonance.config.profiles import parse_profiles

        values = {name: read_value(section[name], option) for name, option in SETTINGS.items()}
        caps = Caps(values.pop("per_artist"), values.pop("per_album"))
        Hours.parse(values["hours"])
        exclude, profiles = parse_exclusions(values.pop("exclude")), parse_profiles(section["profiles"])
        return cls(**{**values, "caps": caps, "exclude": exclude, "profiles": profiles})

    def workers(self, threads: int | None = None) -> int:
        """Return the number of worker processes; `threads` overrides the setting."""
        count = self.threads if threads is None else threads
        return count or min(os.cpu_count() or 1, 4)


def read_value(view: Subview, option: Option) -> Any:
    """Read a setting, checked against its type, range and choices; raises ConfigError or UserError."""
    value = view.get()
    if option.name == "auto":
        # YAML reads a bare `no` as false.
        return ("no", "import")[value] if isinstance(value, bool) else view.as_choice(option.choices)
    if option.type is str:
        if option.name == "model" and view.as_str() != SHIPPED:
            return view.as_filename()  # relative to the configuration's folder
        return option.default if value is None else view.as_str()
    if option.range is None:
        return value
    number = view.get(int) if option.type is int else view.as_number()
    low, high = option.range[0], min(option.range[1], LARGEST_COUNT)
    if not low <= number <= high:
        raise UserError(f"resonance.{option.name} in the configuration must be {low} to {high}, not {number}")
    return number
