"""The commands that the plugin adds to `beet`: each module parses, calls and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.logging import BeetsLogger
    from beets.ui import Subcommand

    from beetsplug.resonance.config.settings import Settings


def subcommands(settings: Callable[[], Settings], log: BeetsLogger) -> list[Subcommand]:
    """`similar`, `playlist` and `resonance`; `settings` is called when one of them runs."""
    from beetsplug.resonance.commands import playlist, resonance, similar

    return [similar.command(settings, log), playlist.command(settings, log), resonance.command(settings, log)]
