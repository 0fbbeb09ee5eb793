"""beet playlist QUERY: an ordered list of tracks that starts at the query and stays close to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import announce_coverage, opened, spoken, tracks, wanted_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.settings import Settings
    from beetsplug.resonance.sidecar import Sidecar

POOL = 3  # candidates per wanted track that the order is made from
USUAL_MINUTES = 4  # of a track, to guess how many make a list of a given length
SUFFIXES = (".m3u", ".m3u8")


class PlaylistOptions(Protocol):
    count: int | None
    minutes: float | None
    output: str | None


def command(settings: Callable[[], Settings], log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("playlist", help="make a playlist that starts at QUERY", aliases=("res-playlist",))
    made.parser.usage = (
        "%prog [options] QUERY"
        "\n\nOpens with the matching track that is most typical of QUERY, goes on with what sounds alike."
        "\n\nExample: beet playlist -n 15 title:'no surprises'"
        "\nExample: beet playlist --minutes 60 -o evening.m3u8 artist:radiohead"
    )
    made.parser.add_option(
        "-n", "--count", type="int", metavar="N", help="how many tracks (default: resonance.count, which is 20)"
    )
    made.parser.add_option("-m", "--minutes", type="float", metavar="M", help="how long it plays, instead of -n")
    made.parser.add_option("-o", "--output", metavar="FILE", help="write an .m3u8 or .m3u file instead of printing")
    made.parser.add_path_option()
    made.parser.add_format_option(target="item")

    @spoken
    def playlist(lib: Library, opts: PlaylistOptions, args: list[str]) -> None:
        if not args:
            raise UserError("playlist: name a track to start from, for example `beet playlist title:yesterday`")
        if opts.count is not None and opts.minutes is not None:
            raise UserError("playlist: give either -n or --minutes, not both")
        if opts.minutes is not None and not 0 < opts.minutes <= 10_000:
            raise UserError(f"playlist: --minutes must be above 0 and at most 10,000, not {opts.minutes:g}")
        count = wanted_count("playlist", opts.count, settings())
        # Anything else would sooner or later be somebody's song.
        if opts.output is not None and Path(opts.output).suffix.lower() not in SUFFIXES:
            raise UserError(f"playlist: -o names a file that ends in .m3u8 or .m3u, not {opts.output!r}")
        with opened(lib, settings()) as sidecar:
            announce_coverage(sidecar, log)
            items = compose(sidecar, args, count, opts.minutes)
        if opts.output is not None:
            write(items, Path(opts.output).expanduser(), log)
            return
        for item in items:
            ui.print_(format(item))

    made.func = playlist
    return made


def compose(sidecar: Sidecar, query: list[str], count: int, minutes: float | None) -> list[Item]:
    """The tracks of the playlist, in order."""
    import numpy as np

    from beetsplug.resonance.search import Search, seeds_of
    from resonance_engine.playlist import journey, within
    from resonance_engine.search.feedback import centroid
    from resonance_engine.search.ranking import Ranking

    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    search = Search(sidecar, model)
    seeds, vector_ids = seeds_of(search, query, "playlist")
    vectors = search.index.vectors(vector_ids)
    direction = centroid(vectors)
    typical = int(np.argmax(vectors @ direction))
    opening = seeds[typical]

    def listed(length: int) -> list[Item]:
        hits = search.nearest(vectors, Ranking(POOL * length), {vector_ids[typical]})
        candidates = np.stack([hit.vector for hit in hits]) if hits else np.empty((0, model.dimensions), np.float32)
        order = journey(direction, candidates, [hit.item.artist for hit in hits], length - 1, opening.artist)
        return [opening, *(hits[position].item for position in order)]

    if minutes is None:
        return listed(count)
    count = 2 + round(minutes / USUAL_MINUTES)
    while True:
        items = listed(count)
        lengths = [item.length or 0.0 for item in items]
        if sum(lengths) >= minutes * 60 or len(items) < count:
            return items[: within(minutes * 60, lengths)]
        count *= 2


def write(items: list[Item], path: Path, log: BeetsLogger) -> None:
    from resonance_engine import m3u

    entries = [m3u.Entry(item.path, item.length or 0.0, item.artist, item.title) for item in items]
    kept = [entry for entry in entries if m3u.expressible(entry)]
    try:
        m3u.write(path, kept)
    except OSError as error:
        raise UserError(f"playlist: {path} cannot be written: {error.strerror}") from error
    if len(kept) < len(entries):
        log.warning("{} left out, for a playlist cannot hold a line break in a path", tracks(len(entries) - len(kept)))
    ui.print_(f"{tracks(len(kept))} written to {os.fspath(path)}")
