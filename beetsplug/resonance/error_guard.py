"""A wall between the plugin and beets: nothing that goes wrong behind an event may end an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets.exceptions import UserError
from confuse import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from beets.logging import BeetsLogger


class ErrorGuard:
    """Turns each exception inside its `with` into a line of the log, and says the same thing only once."""

    def __init__(self, log: BeetsLogger) -> None:
        self.log = log
        self.said: set[str] = set()

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):  # such as an interrupt from the keyboard
            return False
        from resonance_engine.errors import ResonanceError

        if isinstance(error, ConfigError):
            said = f"configuration error: {error}"
        elif isinstance(error, ResonanceError | UserError):
            said = str(error)
        else:
            said = f"unexpected {type(error).__name__}: {error}"
            self.log.debug("where it happened:", exc_info=error)
        if said not in self.said:
            self.said.add(said)
            self.log.warning("{}; tracks are left out until `beet resonance analyze`", said.rstrip("."))
        return True
