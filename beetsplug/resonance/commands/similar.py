"""beet similar QUERY: the tracks that sound most like what the query matches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import announce_coverage, coloured, opened, spoken, wanted_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.settings import Settings
    from beetsplug.resonance.sidecar import Sidecar


class SimilarOptions(Protocol):
    count: int | None
    file: str | None
    format: str | None
    path: bool | None


def command(settings: Callable[[], Settings], log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("similar", help="list the tracks that sound most like QUERY", aliases=("res-similar",))
    made.parser.usage = (
        "%prog [options] QUERY"
        "\n\nPrints a score and a track a line, best first; 1.000 is the same sound."
        "\nIn --format, $similarity is the score."
        "\n\nExample: beet similar -n 5 artist:radiohead title:'no surprises'"
        "\nExample: beet similar --file ~/Downloads/song.mp3"
    )
    made.parser.add_option(
        "-n", "--count", type="int", metavar="N", help="how many tracks (default: resonance.count, which is 20)"
    )
    made.parser.add_option("--file", metavar="PATH", help="start from a file that need not be in the library")
    made.parser.add_path_option()
    made.parser.add_format_option(target="item")

    @spoken
    def similar(lib: Library, opts: SimilarOptions, args: list[str]) -> None:
        if not args and not opts.file:
            raise UserError("similar: name a track to start from, for example `beet similar title:yesterday`")
        count = wanted_count("similar", opts.count, settings())
        with opened(lib, settings()) as sidecar:
            run(sidecar, opts, args, count, log)

    made.func = similar
    return made


def run(sidecar: Sidecar, opts: SimilarOptions, query: list[str], count: int, log: BeetsLogger) -> None:
    coverage = announce_coverage(sidecar, log)
    import numpy as np

    from beetsplug.resonance.search import Search, file_vector, seeds_of
    from resonance_engine.search.ranking import Ranking

    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    search = Search(sidecar, model)
    vector_ids = seeds_of(search, query, "similar")[1] if query else []
    seeds = [search.index.vectors(vector_ids)] if vector_ids else []
    if opts.file:
        seeds.append(file_vector(search, Path(opts.file).expanduser())[None, :])
    hits = search.nearest(np.concatenate(seeds), Ranking(count), set(vector_ids))
    if not hits and coverage.missing:
        raise UserError("similar: no other track is analysed; run `beet resonance analyze`")
    if not hits:
        raise UserError("similar: there is no other track to list; name fewer, or import more")
    plain = opts.format is not None or bool(opts.path)
    scores = [min(hit.score, 1.0) for hit in hits]  # stored vectors are rounded
    width = max(len(f"{score:.3f}") for score in scores)
    for hit, score in zip(hits, scores, strict=True):
        hit.item["similarity"] = f"{score:.4f}"  # in memory: the item is never stored
        line = format(hit.item)
        ui.print_(line if plain else f"{coloured('text_highlight_minor', f'{score:>{width}.3f}')}  {line}")
