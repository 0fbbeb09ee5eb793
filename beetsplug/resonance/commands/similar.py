"""beet similar QUERY: the tracks, albums or artists that sound most like the matches of the query."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import user_errors
from beetsplug.resonance.config.options import add_options, command_options, flag_of, given_options
from beetsplug.resonance.library.coverage import require_coverage

if TYPE_CHECKING:
    from optparse import Values

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.commands.common import OpenSidecar
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

SETS = ("query", "among", "count")  # what albums and artists are compared by


def command(open_sidecar: OpenSidecar, log: BeetsLogger) -> ui.Subcommand:
    similar = ui.Subcommand("similar", help="list the tracks that sound most like QUERY", aliases=("res-similar",))
    parser = similar.parser
    parser.usage = (
        "%prog [options] QUERY"
        "\n\nPrints a score and a track a line, best first; 1.000 is the same sound, 0 is no more alike than"
        "\nany two tracks. In --format, $similarity is the score."
        "\n\nExample: beet similar -n 5 artist:radiohead title:'no surprises'"
        "\nExample: beet similar --file ~/Downloads/song.mp3 --from \"year:1990..1999 artist:'pink floyd'\""
        "\nExample: beet similar --like rhythm --bpm 0.95-1.05 --explain title:'no surprises'"
        "\nExample: beet similar --text 'calm acoustic guitar, no vocals'"
        "\nExample: beet similar -a album:'ok computer'"
    )
    table = command_options("similar")
    add_options(parser, [option for option in table if option.saved])
    parser.add_album_option()  # beets' own, for --format to know what it is about
    album = parser.get_option("--album")
    assert album is not None, "it was just added"
    album.help = "list albums that sound like those that match"
    add_options(parser, [option for option in table if not option.saved])
    parser.add_path_option()
    parser.add_format_option()

    @user_errors
    def run(lib: Library, opts: Values, args: list[str]) -> None:
        from beetsplug.resonance.search.request import SearchRequest

        with closing(open_sidecar(lib)) as sidecar:
            options = given_options(opts, args, "similar")
            request = SearchRequest(**{"count": sidecar.settings.count, **options})
            if request.is_seedless:
                raise UserError("similar: name a track to start from, for example `beet similar title:yesterday`")
            check_combinations(opts, request)
            require_coverage(sidecar, log)
            list_similar(sidecar, opts, request, log)

    similar.func = run
    return similar


def check_combinations(opts: Values, request: SearchRequest) -> None:
    """Raise UserError for options that exclude each other."""
    kind = "--album" if opts.album else "--artists" if opts.artists else ""
    if opts.album and opts.artists:
        raise UserError("similar: give either --album or --artists")
    extra = [name for name in request.recipe() if name not in SETS] if kind else []
    if kind and (extra or opts.explain):
        raise UserError(f"similar: {kind} takes no {flag_of(extra[0]) if extra else '--explain'}")
    form = "--path" if opts.path else "--format" if opts.format is not None else ""
    if form and (opts.artists or opts.json):
        raise UserError(f"similar: {'--artists' if opts.artists else '--json'} takes no {form}")
    if kind and not request.query:
        raise UserError(f"similar: {kind} starts from a query, for example `beet similar {kind} artist:radiohead`")


def list_similar(sidecar: Sidecar, opts: Values, request: SearchRequest, log: BeetsLogger) -> None:
    """Search, and print albums, artists or tracks."""
    from beetsplug.resonance.search.session import open_session

    with open_session(sidecar) as session:
        if opts.album or opts.artists:
            list_groups(session, opts, request)
        else:
            list_tracks(session, opts, request, log)


def list_groups(session: SearchSession, opts: Values, request: SearchRequest) -> None:
    from beetsplug.resonance.commands.output import print_groups
    from beetsplug.resonance.commands.sets import similar_albums, similar_artists

    rows = (similar_albums if opts.album else similar_artists)(session, request)
    if not rows:
        raise UserError(f"similar: there is no other {'album' if opts.album else 'artist'} to list")
    print_groups(rows, opts.json, plain=bool(opts.album) and (opts.format is not None or bool(opts.path)))


def list_tracks(session: SearchSession, opts: Values, request: SearchRequest, log: BeetsLogger) -> None:
    from beetsplug.resonance.commands.output import print_json, print_tracks
    from beetsplug.resonance.search.explanations import explain_hits
    from beetsplug.resonance.search.finder import Finder

    result = Finder(session, request, "similar").find()
    if not result.hits:
        raise UserError(f"similar: {explain_empty(session.sidecar, request, result)}")
    for note in result.notes:
        log.info("{}", note)
    reasons = explain_hits(session, result) if opts.explain else {}
    if opts.json:
        print_json(result, reasons)
    else:
        print_tracks(result, reasons, plain=opts.format is not None or bool(opts.path))


def explain_empty(sidecar: Sidecar, request: SearchRequest, result: SearchResult) -> str:
    """Return why a list is empty."""
    if result.rejected:
        return f"no track is left to list; turned down: {result.rejected}"
    other = "other track that matches --from" if request.among else "other track"
    if sidecar.coverage().missing:
        return f"no {other} is analysed; run `beet resonance analyze`"
    return f"there is no {other}" if request.among else f"there is no {other} to list; name fewer, or import more"
