"""--mpd: append what a command lists to MPD's queue; how the commands reach MPD."""

from __future__ import annotations

from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import format_tracks
from resonance_engine.errors import SERVE_EXTRA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.players.mpd_queue import MpdQueue

PACKAGE = "mpd"  # of python-mpd2


@contextmanager
def open_queue(library: Library) -> Iterator[MpdQueue]:
    """Connect to MPD's queue; raises UserError or ConnectionLostError where that cannot be."""
    if find_spec(PACKAGE) is None:
        raise UserError(f"MPD is reached through python-mpd2; install it into beets' environment with {SERVE_EXTRA}")
    from beetsplug.resonance.players.mpd_queue import MpdQueue
    from beetsplug.resonance.players.mpd_settings import read_mpd_settings

    with closing(MpdQueue(read_mpd_settings(), library)) as queue:
        queue.connect()
        yield queue


def queue_tracks(queue: MpdQueue, items: Sequence[Item], log: BeetsLogger) -> None:
    """Append tracks and print how many; a warning counts those that MPD cannot play, a UserError where it can none."""
    from beetsplug.resonance.players.mpd_queue import describe_left_out

    appended = queue.append(items)
    sentences = describe_left_out(queue, appended)
    if not appended.songs:
        raise UserError(sentences[0])
    for sentence in sentences:
        log.warning("{}", sentence)
    ui.print_(f"{format_tracks(len(appended.songs))} queued")
