"""Turn errors into sentences, and keep those behind beets' events from ending an import."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from beets.exceptions import UserError
from confuse import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.logging import BeetsLogger


class ErrorGuard:
    """A context manager, when called, that turns an exception into one line of the log, the same line only once."""

    def __init__(self, log: BeetsLogger) -> None:
        self.log = log
        self.messages: set[str] = set()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # an interrupt from the keyboard passes
            message = describe_error(error)
            if not message:
                message = f"unexpected {type(error).__name__}: {error}"
                self.log.debug("where it happened:", exc_info=error)
            if message not in self.messages:
                self.messages.add(message)
                self.log.warning("{}; tracks are left out until `beet resonance analyze`", message.rstrip("."))


def describe_error(error: Exception) -> str:
    """Return the sentence of an error that a user can fix; empty for a mistake of the program."""
    from resonance_engine.errors import ResonanceError, describe_os_error

    if isinstance(error, ConfigError):
        return f"configuration error: {error}"
    if isinstance(error, OSError):
        return describe_os_error(error)
    return str(error) if isinstance(error, ResonanceError | UserError) else ""
