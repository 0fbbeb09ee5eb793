"""The `resonance:` section of the beets configuration, read once."""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

if TYPE_CHECKING:
    from confuse import Subview

AUTO = ("import", "no")
SHIPPED = "default"
LIMITS = {"threads": (0, 64), "timeout": (1, 86_400), "count": (1, 100_000)}


@dataclass(frozen=True)
class Settings:
    """What a user may choose; these defaults are the only ones.

    `auto`: embed during `import`, or `no`. `model`: the path of a model, or `default` for the one that was chosen with
    `beet resonance model use`, at first the shipped one. `threads`: worker processes, 0 for one per core up to four.
    `timeout`: seconds for one file. `count`: tracks in a list.
    """

    auto: str = "import"
    model: str = SHIPPED
    threads: int = 0
    timeout: float = 120.0
    count: int = 20

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        return asdict(cls())

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
        auto, model = section["auto"].get(), section["model"].as_str()
        settings = cls(
            # YAML reads a bare `no` as false.
            auto=AUTO[not auto] if isinstance(auto, bool) else section["auto"].as_choice(AUTO),
            # Relative to the configuration's folder, not to wherever beet is started.
            model=SHIPPED if model == SHIPPED else section["model"].as_filename(),
            threads=section["threads"].get(int),
            timeout=section["timeout"].as_number(),
            count=section["count"].get(int),
        )
        for name, (least, most) in LIMITS.items():
            value = getattr(settings, name)
            if not least <= value <= most:
                raise UserError(f"resonance.{name} in the configuration must be {least} to {most}, not {value}")
        return settings

    def workers(self, threads: int | None = None) -> int:
        """How many worker processes to run; `threads` is what the user asked of one command."""
        wanted = self.threads if threads is None else threads
        return wanted or min(os.cpu_count() or 1, 4)
