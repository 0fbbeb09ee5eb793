"""beet similar QUERY: the tracks, albums or artists that sound most like what the query matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import announce_coverage, opened, user_errors
from beetsplug.resonance.commands.options import SearchOptions, add_search_options, wish_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

SETS = ("query", "among", "count")  # what albums and artists are compared by


class SimilarOptions(SearchOptions, Protocol):
    album: bool | None
    artists: bool | None
    explain: bool | None
    json: bool | None
    format: str | None
    path: bool | None


def command(settings: Callable[[], Settings], log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("similar", help="list the tracks that sound most like QUERY", aliases=("res-similar",))
    made.parser.usage = (
        "%prog [options] QUERY"
        "\n\nPrints a score and a track a line, best first; 1.000 is the same sound, 0 is no more alike than"
        "\nany two tracks. In --format, $similarity is the score."
        "\n\nExample: beet similar -n 5 artist:radiohead title:'no surprises'"
        "\nExample: beet similar --file ~/Downloads/song.mp3 --from \"year:1990..1999 artist:'pink floyd'\""
        "\nExample: beet similar --like rhythm --bpm 0.95-1.05 --explain title:'no surprises'"
        "\nExample: beet similar --text 'calm acoustic guitar, no vocals'"
        "\nExample: beet similar -a album:'ok computer'"
    )
    add_search_options(made.parser)
    add = made.parser.add_option
    made.parser.add_album_option()  # beets' own, for --format to know what it is about
    album = made.parser.get_option("--album")
    assert album is not None, "it was just added"
    album.help = "list albums that sound like those that match"
    add("--artists", action="store_true", help="list artists who sound like those of the tracks that match")
    add("--explain", action="store_true", help="say of each track what makes it alike")
    add("--json", action="store_true", help="print JSON, for programs")
    made.parser.add_path_option()
    made.parser.add_format_option()

    @user_errors
    def similar(lib: Library, opts: SimilarOptions, args: list[str]) -> None:
        wish = wish_from(opts, args, settings(), "similar")
        if wish.seedless:
            raise UserError("similar: name a track to start from, for example `beet similar title:yesterday`")
        verified(opts, wish)
        with opened(lib, settings()) as sidecar:
            announce_coverage(sidecar, log)
            run(sidecar, opts, wish, log)

    made.func = similar
    return made


def verified(opts: SimilarOptions, wish: SearchRequest) -> None:
    """Raise UserError for options that make no sense together."""
    kind = "--album" if opts.album else "--artists" if opts.artists else ""
    if opts.album and opts.artists:
        raise UserError("similar: give either --album or --artists")
    extra = [name for name in wish.recipe() if name not in SETS]
    if kind and (extra or opts.explain):
        from beetsplug.resonance.search.request import option

        raise UserError(f"similar: {kind} takes no {option(extra[0]) if extra else '--explain'}")
    form = "--path" if opts.path else "--format" if opts.format is not None else ""
    if form and (opts.artists or opts.json):
        raise UserError(f"similar: {'--artists' if opts.artists else '--json'} takes no {form}")
    if kind and not wish.query:
        raise UserError(f"similar: {kind} starts from a query, for example `beet similar {kind} artist:radiohead`")


def run(sidecar: Sidecar, opts: SimilarOptions, wish: SearchRequest, log: BeetsLogger) -> None:
    from beetsplug.resonance.search.session import open_session

    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    with open_session(sidecar, model) as search:
        listed(search, opts, wish, log)


def listed(search: SearchSession, opts: SimilarOptions, wish: SearchRequest, log: BeetsLogger) -> None:
    from beetsplug.resonance.commands import output as printing

    if opts.album or opts.artists:
        from beetsplug.resonance.commands.sets import similar_albums, similar_artists

        rows = (similar_albums if opts.album else similar_artists)(search, wish)
        if not rows:
            raise UserError(f"similar: there is no other {'album' if opts.album else 'artist'} to list")
        printing.print_sets(rows, opts.json, plain=bool(opts.album) and (opts.format is not None or bool(opts.path)))
        return
    from beetsplug.resonance.search.explanations import explain_hits
    from beetsplug.resonance.search.finder import Finder

    found = Finder(search, "similar").find(wish)
    if not found.hits:
        raise UserError(f"similar: {nothing(search.sidecar, wish, found)}")
    for note in found.notes:
        log.info("{}", note)
    reasons = explain_hits(search, found) if opts.explain else {}
    if opts.json:
        printing.print_json(found, reasons)
    else:
        printing.print_tracks(found, reasons, plain=opts.format is not None or bool(opts.path))


def nothing(sidecar: Sidecar, wish: SearchRequest, found: SearchResult) -> str:
    """Why a list is empty."""
    if found.turned_down:
        return f"no track is left to list; turned down: {found.turned_down}"
    other = "other track that matches --from" if wish.among else "other track"
    if sidecar.coverage().missing:
        return f"no {other} is analysed; run `beet resonance analyze`"
    return f"there is no {other}" if wish.among else f"there is no {other} to list; name fewer, or import more"
