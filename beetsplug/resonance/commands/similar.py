"""beet similar QUERY: the tracks that sound most like what the query matches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import announce_coverage, coloured, opened, spoken

if TYPE_CHECKING:
    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.settings import Settings


class SimilarOptions(Protocol):
    count: int | None
    file: str | None
    format: str | None
    path: bool | None


def command(settings: Settings, log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("similar", help="list the tracks that sound most like QUERY", aliases=("res-similar",))
    made.parser.usage = (
        "%prog [options] QUERY"
        "\n\nPrints a score and a track a line, best first; 1.000 is the same sound.\n"
        "Example: beet similar -n 5 artist:radiohead title:'no surprises'\n"
        "Example: beet similar --file ~/Downloads/song.mp3"
    )
    made.parser.add_option(
        "-n", "--count", type="int", metavar="N", help=f"how many tracks (default: {settings.count})"
    )
    made.parser.add_option("--file", metavar="PATH", help="start from a file that need not be in the library")
    made.parser.add_path_option()
    made.parser.add_format_option(target="item")

    @spoken
    def similar(lib: Library, opts: SimilarOptions, args: list[str]) -> None:
        run(lib, opts, args, settings, log)

    made.func = similar
    return made


def run(lib: Library, opts: SimilarOptions, args: list[str], settings: Settings, log: BeetsLogger) -> None:
    if not args and not opts.file:
        raise UserError("similar: name a track to start from, for example `beet similar title:yesterday`")
    count = settings.count if opts.count is None else opts.count
    if count < 1:
        raise UserError(f"similar: the number of tracks must be at least 1, not {count}")
    with opened(lib, settings) as sidecar:
        announce_coverage(sidecar, log)
        import numpy as np

        from beetsplug.resonance.search import Search, file_vector, seeds_of
        from resonance_engine.search.ranking import Ranking

        model = sidecar.model
        assert model is not None, "something is embedded, so there is a model"
        search = Search(sidecar, model)
        vector_ids = seeds_of(search, args, "similar")[1] if args else []
        seeds = [search.index.vectors(vector_ids)] if vector_ids else []
        if opts.file:
            seeds.append(file_vector(search, Path(opts.file).expanduser())[None, :])
        hits = search.nearest(np.concatenate(seeds), Ranking(count), set(vector_ids))
    if not hits:
        raise UserError("similar: no other track is analysed; run `beet resonance analyze`")
    custom = opts.format is not None or bool(opts.path)
    for hit in hits:
        hit.item["similarity"] = round(hit.score, 4)
        line = format(hit.item)
        ui.print_(line if custom else f"{coloured('text_highlight_minor', f'{hit.score:.3f}')}  {line}")
