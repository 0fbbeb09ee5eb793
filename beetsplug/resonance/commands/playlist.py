"""beet playlist QUERY: an ordered list of tracks that starts at the query and stays close to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import announce_coverage, opened, spoken

if TYPE_CHECKING:
    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.settings import Settings
    from beetsplug.resonance.sidecar import Sidecar

POOL = 3  # candidates per wanted track that the order is made from
SHORTEST_MINUTES = 1.5  # of a track, to know how many to fetch for a list of a given length


class PlaylistOptions(Protocol):
    count: int | None
    minutes: float | None
    output: str | None


def command(settings: Settings, log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("playlist", help="make a playlist that starts at QUERY", aliases=("res-playlist",))
    made.parser.usage = (
        "%prog [options] QUERY"
        "\n\nOpens with the matching track that is most typical of QUERY, goes on with what sounds alike.\n"
        "Example: beet playlist -n 15 title:'no surprises'\n"
        "Example: beet playlist --minutes 60 -o evening.m3u8 artist:radiohead"
    )
    made.parser.add_option(
        "-n", "--count", type="int", metavar="N", help=f"how many tracks (default: {settings.count})"
    )
    made.parser.add_option("-m", "--minutes", type="float", metavar="M", help="how long it plays, instead of -n")
    made.parser.add_option("-o", "--output", metavar="FILE", help="write an .m3u8 file instead of printing")
    made.parser.add_format_option(target="item")

    @spoken
    def playlist(lib: Library, opts: PlaylistOptions, args: list[str]) -> None:
        run(lib, opts, args, settings, log)

    made.func = playlist
    return made


def run(lib: Library, opts: PlaylistOptions, args: list[str], settings: Settings, log: BeetsLogger) -> None:
    if not args:
        raise UserError("playlist: name a track to start from, for example `beet playlist title:yesterday`")
    if opts.count is not None and opts.minutes is not None:
        raise UserError("playlist: give either -n or --minutes, not both")
    if opts.minutes is not None and not 0 < opts.minutes < 10_000:
        raise UserError(f"playlist: --minutes must be above 0 and below 10,000, not {opts.minutes:g}")
    count = settings.count if opts.count is None else opts.count
    if count < 1:
        raise UserError(f"playlist: the number of tracks must be at least 1, not {count}")
    with opened(lib, settings) as sidecar:
        announce_coverage(sidecar, log)
        items = compose(sidecar, args, count, opts.minutes)
    if opts.output:
        write(items, Path(opts.output).expanduser())
        ui.print_(f"{len(items)} tracks written to {opts.output}")
        return
    for item in items:
        ui.print_(format(item))


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
    opening = seeds[int(np.argmax(vectors @ direction))]
    if minutes is not None:
        count = max(2, round(minutes / SHORTEST_MINUTES))
    hits = search.nearest(vectors, Ranking(POOL * count), set(vector_ids))
    candidates = np.stack([hit.vector for hit in hits]) if hits else np.empty((0, model.dimensions), np.float32)
    order = journey(direction, candidates, [hit.item.artist for hit in hits], count - 1, opening.artist)
    items = [opening, *(hits[position].item for position in order)]
    if minutes is not None:
        items = items[: within(minutes * 60, [item.length or 0.0 for item in items])]
    return items


def write(items: list[Item], path: Path) -> None:
    from resonance_engine import m3u

    entries = [m3u.Entry(item.path, item.length or 0.0, item.artist, item.title) for item in items]
    try:
        m3u.write(path, entries)
    except OSError as error:
        raise UserError(f"playlist: {path} cannot be written: {error.strerror}") from error
