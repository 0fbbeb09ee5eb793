"""The commands that the plugin adds to `beet`: each module parses, calls and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beets.logging import BeetsLogger
    from beets.ui import Subcommand

    from beetsplug.resonance.settings import Settings


def subcommands(settings: Settings, log: BeetsLogger) -> list[Subcommand]:
    """`similar`, `playlist` and `resonance`."""
    from beetsplug.resonance.commands import maintain, playlist, similar

    return [similar.command(settings, log), playlist.command(settings, log), maintain.command(settings, log)]
