"""Play tracks with the command that is configured for `beet play`, and come back when it has ended."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import config, ui, util
from beets.exceptions import UserError

from resonance_engine.errors import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

ARGUMENTS, PLAYLIST = "$args", "$playlist"  # marks in play.command
USUAL_LIMIT = 100  # tracks that `beet play` plays without a question


def play(paths: Sequence[bytes]) -> None:
    """Play files, as the settings of beets' plugin `play` say; raises UserError where the player cannot be started."""
    limit = read_setting("warning_threshold", USUAL_LIMIT)
    if limit and len(paths) > limit:
        ui.print_(f"You are about to queue {format_count(len(paths))}.")
        if ui.input_options(("Continue", "Abort")) == "a":
            return
    folder = read_setting("relative_to")
    if folder:
        paths = [os.path.relpath(path, util.normpath(folder)) for path in paths]
    is_raw = bool(read_setting("raw"))
    words = player_words(
        read_setting("command") or util.open_anything(), list(paths) if is_raw else [write_list(paths)], is_raw
    )
    try:
        status = subprocess.call(words)  # noqa: S603 - what the user configured, and no shell
    except OSError as error:
        raise UserError(f"{words[0]} cannot be started ({error.strerror}); set play.command to a player") from error
    except KeyboardInterrupt:  # for the player, which has it from the terminal, too
        ui.print_()
        return
    if status:
        ui.print_(f"{words[0]} ended with status {status}")


def read_setting(name: str, default: Any = None) -> Any:
    """Return a setting of beets' plugin `play`, which need not be enabled."""
    view = config["play"][name]
    return view.get() if view.exists() else default


def player_words(command: str, files: Sequence[bytes], is_raw: bool) -> list[str]:
    """Return the words of a command line that plays files: `beet play` puts a playlist where $playlist stands, or last.

    Where they are tracks, not a playlist, that is `is_raw`, they always come last.
    """
    words = [word for word in shlex.split(command) if word != ARGUMENTS]
    names = [os.fsdecode(file) for file in files]
    if not any(PLAYLIST in word for word in words):
        return [*words, *names]
    if is_raw:
        return [*(word for word in words if word != PLAYLIST), *names]
    return [word.replace(PLAYLIST, names[0]) for word in words]


def write_list(paths: Sequence[bytes]) -> bytes:
    """Write a temporary playlist, which players may read after they have returned, and return its path."""
    name = util.get_temp_filename(__name__, suffix=".m3u")
    mark = b"\xef\xbb\xbf" if read_setting("bom") else b""
    Path(os.fsdecode(name)).write_bytes(mark + b"".join(path + b"\n" for path in paths))
    return name
