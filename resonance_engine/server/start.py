"""What comes before a server: whether its packages are installed, and the lines that say where it is."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from resonance_engine.errors import SERVE_EXTRA, ConfigError, format_count, printable

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.server.settings import ServerSettings

PACKAGES = ("fastapi", "uvicorn")
TOKEN_FILE = "resonance-serve.token"  # noqa: S105 - a file's name


def require_packages() -> None:
    """Raise ConfigError where the packages of a server are not installed."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise ConfigError(f"serve needs {name}; install it into the same environment with {SERVE_EXTRA}.")


def describe_start(count: int, address: str, settings: ServerSettings, token: Path) -> list[str]:
    """Return the lines that a server begins with: how much it serves and where, and who needs the token."""
    lines = [f"serving {format_count(count)} at {address} (Ctrl-C ends it)"]
    if settings.is_shared:
        lines.append(f"other machines need the token in {printable(token)}")
    return lines
