"""The commands that the plugin adds to `beet`: each parses options, calls a function below and prints.

In: options and words of a query. Out: lines, JSON, files that the user named. What is not about options or printing
belongs to a room below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beets.logging import BeetsLogger
    from beets.ui import Subcommand

    from beetsplug.resonance.commands.common import OpenSidecar


def subcommands(open_sidecar: OpenSidecar, log: BeetsLogger) -> list[Subcommand]:
    """Return `similar`, `playlist` and `resonance`; `open_sidecar` is called when one of them runs."""
    from beetsplug.resonance.commands import playlist, resonance, similar

    return [command(open_sidecar, log) for command in (similar.command, playlist.command, resonance.command)]
