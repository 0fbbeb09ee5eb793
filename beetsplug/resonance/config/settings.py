"""The `resonance:` section of the beets configuration, read once."""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confuse import Subview

    from beetsplug.resonance.config.exclusions import Exclusion
    from beetsplug.resonance.config.profiles import Profile

AUTO = ("import", "background", "no")
SHIPPED = "default"
LIMITS = {
    "threads": (0, 64),
    "timeout": (1, 86_400),
    "nice": (0, 19),
    "pace": (10, 100),
    "count": (1, 100_000),
    "per_artist": (0, 100_000),
    "per_album": (0, 100_000),
    "spacing": (0, 1_000),
    "max_length": (0, 10_000),
}


@dataclass(frozen=True)
class Settings:
    """What a user may choose; these defaults are the only ones.

    `auto`: embed during `import`, in the `background` after it, or `no`. `nice`: how much the background gives way to
    other programs, 0 to 19. `pace`: percent of the time in which it works. `hours`: when it may, such as 22:00-07:00,
    several with commas, empty for always. `model`: the path of a model, or `default` for the one that was chosen with
    `beet resonance model use`, at first the shipped one. `threads`: worker processes, 0 for one per core up to four.
    `timeout`: seconds for one file. `count`: tracks in a list. `per_artist`, `per_album`: at most so many tracks of one
    in a list, 0 for any number. `spacing`: tracks between two of one artist in a playlist. `max_length`: minutes of a
    track that may come up, 0 for any. `exclude`: beets queries whose matches never come up. `profiles`: options of
    `beet playlist` by a name for them.
    """

    auto: str = "import"
    model: str = SHIPPED
    threads: int = 0
    timeout: float = 120.0
    nice: int = 10
    pace: int = 100
    hours: str = ""
    count: int = 20
    per_artist: int = 3
    per_album: int = 2
    spacing: int = 2
    max_length: float = 20
    exclude: tuple[Exclusion, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The settings as YAML has them."""
        return {**asdict(cls()), "exclude": []}

    @classmethod
    def from_config(cls, section: Subview) -> Settings:
        """The settings of a configuration section, whose defaults are added; raises ConfigError or UserError."""
        if section.get() is None:  # the bare line `resonance:`
            return cls()
        known = [field.name for field in fields(cls)]
        for key in section.keys():  # noqa: SIM118 - a view is no mapping
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
                raise UserError(f"resonance.{key} in the configuration is no setting; {hint}")
        from beetsplug.resonance.config.exclusions import parse_exclusions
        from beetsplug.resonance.config.hours import Hours
        from beetsplug.resonance.config.profiles import profiles

        auto, model = section["auto"].get(), section["model"].as_str()
        named = section["profiles"]
        settings = cls(
            # YAML reads a bare `no` as false.
            auto=("no", "import")[auto] if isinstance(auto, bool) else section["auto"].as_choice(AUTO),
            # Relative to the configuration's folder, not to wherever beet is started.
            model=SHIPPED if model == SHIPPED else section["model"].as_filename(),
            threads=section["threads"].get(int),
            timeout=section["timeout"].as_number(),
            nice=section["nice"].get(int),
            pace=section["pace"].get(int),
            hours="" if section["hours"].get() is None else section["hours"].as_str(),
            count=section["count"].get(int),
            per_artist=section["per_artist"].get(int),
            per_album=section["per_album"].get(int),
            spacing=section["spacing"].get(int),
            max_length=section["max_length"].as_number(),
            exclude=parse_exclusions(section["exclude"].get()),
            # One file may add to the profiles of another.
            profiles=profiles(named.flatten() if isinstance(named.get(), dict) else named.get()),
        )
        for name, (least, most) in LIMITS.items():
            value = getattr(settings, name)
            if not least <= value <= most:
                raise UserError(f"resonance.{name} in the configuration must be {least} to {most}, not {value}")
        Hours.read(settings.hours)
        return settings

    def workers(self, threads: int | None = None) -> int:
        """How many worker processes to run; `threads` is what the user asked of one command."""
        wanted = self.threads if threads is None else threads
        return wanted or min(os.cpu_count() or 1, 4)
