"""The sentences of errors that beets, its configuration or the engine raises."""

from __future__ import annotations

from beets.exceptions import UserError
from confuse import ConfigError


def describe_error(error: Exception) -> str:
    """Return the sentence of an error that a user can fix; empty for a mistake of the program."""
    from resonance_engine.errors import ResonanceError, describe_os_error

    if isinstance(error, ConfigError):
        return f"configuration error: {error}"
    if isinstance(error, OSError):
        return describe_os_error(error)
    return str(error) if isinstance(error, ResonanceError | UserError) else ""
