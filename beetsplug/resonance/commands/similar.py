"""beet similar QUERY: the tracks, albums or artists that sound most like the matches of the query.

Output is aligned columns for people, JSON for programs.
"""

from __future__ import annotations

import json
import os
from contextlib import closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import choose_colours, given_template, require_searchable, user_errors
from beetsplug.resonance.commands.mpd import open_queue, queue_tracks
from beetsplug.resonance.commands.parser import CommandParser
from beetsplug.resonance.config.options import add_options, command_options, flag_of, given_options
from beetsplug.resonance.library.labels import describe_entry
from resonance_engine.errors import neutralise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from optparse import Values

    from beets.library import Album, Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.commands.common import OpenSidecar
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.players.mpd_queue import MpdQueue
    from beetsplug.resonance.search.explanations import Reason
    from beetsplug.resonance.search.finder import Hit, SearchResult
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

SETS = ("query", "among", "count")  # what albums and artists are compared by


def command(open_sidecar: OpenSidecar, log: BeetsLogger) -> ui.Subcommand:
    similar = ui.Subcommand("similar", CommandParser(), "list the tracks that sound most like QUERY", ("res-similar",))
    parser = similar.parser
    parser.usage = (
        "%prog [options] QUERY"
        "\n\nPrints a score and a track a line, best first; 1.000 is the same sound, 0 is no more alike than"
        "\nany two tracks; with --text alone, it is the share of tracks that fit less. In --format,"
        "\n$similarity is the score."
        "\n\nExample: beet similar -n 5 artist:radiohead title:'no surprises'"
        "\nExample: beet similar --file ~/Downloads/song.mp3 --from \"year:1990..1999 artist:'pink floyd'\""
        "\nExample: beet similar --like rhythm --bpm 0.95-1.05 --explain title:'no surprises'"
        "\nExample: beet similar --text 'calm acoustic guitar, no vocals'"
        "\nExample: beet similar -a album:'ok computer'"
        "\nExample: beet similar -n 10 --mpd title:'no surprises'"
        "\nExample: beet similar -i title:'no surprises'"
        "\n\nOn a terminal, -i asks after each list:"
        "\n  a number, d  dive: search anew from that track"
        "\n  p, a         play tracks with the command of `beet play`, add them to a playlist file"
        "\n  m, l         more like these tracks, less like these"
        "\n  b, q         back to the list before, quit"
        "\nTracks are named by their numbers, 1 3-5, or all."
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

    @user_errors("similar")
    def run(lib: Library, opts: Values, args: list[str]) -> None:
        from beetsplug.resonance.search.request import SearchRequest

        with closing(open_sidecar(lib)) as sidecar:
            options = given_options(opts, args, "similar")
            request = SearchRequest(**{"count": sidecar.settings.count, **options})
            if request.is_seedless:
                raise UserError("similar: name a track to start from, for example `beet similar title:yesterday`")
            check_combinations(opts, request)
            require_searchable(sidecar, log)
            if opts.interactive:
                from beetsplug.resonance.commands.explore import Explorer

                Explorer(sidecar, request, partial(find_tracks, is_explained=bool(opts.explain), log=log)).run()
                return
            from beetsplug.resonance.search.session import open_session

            with open_queue(lib) if opts.mpd else nullcontext() as queue, open_session(sidecar) as session:
                if opts.album or opts.artists:
                    list_groups(session, opts, request)
                else:
                    list_tracks(session, opts, request, log, queue)

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
    if opts.mpd and (kind or opts.json or opts.interactive):
        raise UserError(f"similar: {kind or ('--json' if opts.json else '--interactive')} takes no --mpd")
    if opts.interactive:
        if kind or opts.json:
            raise UserError(f"similar: {kind or '--json'} takes no --interactive")
        from beetsplug.resonance.commands.explore import require_terminal

        require_terminal()
    form = "--path" if opts.path else "--format" if opts.format is not None else ""
    if form and (opts.artists or opts.json):
        raise UserError(f"similar: {'--artists' if opts.artists else '--json'} takes no {form}")
    if kind and not request.query:
        raise UserError(f"similar: {kind} starts from a query, for example `beet similar {kind} artist:radiohead`")


def list_groups(session: SearchSession, opts: Values, request: SearchRequest) -> None:
    """Print albums or artists, one a line."""
    groups = similar_albums(session, request) if opts.album else similar_artists(session, request)
    if not groups:
        raise UserError(f"similar: there is no other {'album' if opts.album else 'artist'} to list")
    if opts.json:
        records = [{"score": round(score, 4), **group_record(group)} for score, group in groups]
        ui.print_(json.dumps(records, indent=1))
        return
    print_scored([(score, group, "") for score, group in groups], given_template(opts) if opts.album else None)


def list_tracks(
    session: SearchSession, opts: Values, request: SearchRequest, log: BeetsLogger, queue: MpdQueue | None
) -> None:
    """Print tracks, one a line, and the reasons of each below it; append them to a queue, if there is one."""
    from beetsplug.resonance.search.finder import load_items

    result, reasons = find_tracks(session, request, bool(opts.explain), log)
    tracks = load_items(session.sidecar.library, result.hits)
    if opts.json:
        print_json(tracks, reasons)
        return
    rows = [(hit.score, item, reasons[hit.id].line if hit.id in reasons else "") for hit, item in tracks]
    print_scored(rows, given_template(opts))
    if queue is not None:
        queue_tracks(queue, [item for _, item in tracks], log)


def print_scored(rows: Sequence[tuple[float, Item | Album | str, str]], template: str | None) -> None:
    """Print tracks, albums or names of artists, the score in front, the reason, if any, below.

    With a template, which beets has made its format, in that alone.
    """
    colour, plain = choose_colours(), template is not None
    width = max(len(f"{score:.3f}") for score, _, _ in rows)
    for score, entry, reason in rows:
        if not isinstance(entry, str):
            entry["similarity"] = f"{score:.4f}"  # in memory: it is never stored
        line = neutralise(entry) if isinstance(entry, str) else describe_entry(entry, template)
        ui.print_(line if plain else f"{colour('text_highlight_minor', f'{score:>{width}.3f}')}  {line}")
        if reason:
            ui.print_(f"{' ' * (2 if plain else width + 2)}{colour('text_faint', reason)}")


def find_tracks(
    session: SearchSession, request: SearchRequest, is_explained: bool, log: BeetsLogger
) -> tuple[SearchResult, Mapping[int, Reason]]:
    """Return what a search finds, and the reasons if wanted, and log its notes; UserError where it finds nothing."""
    from beetsplug.resonance.search.explanations import explain_hits
    from beetsplug.resonance.search.finder import Finder

    result = Finder(session, request, "similar").find()
    if not result.hits:
        raise UserError(f"similar: {explain_empty(session.sidecar, request, result)}")
    for note in result.notes:
        log.info("{}", note)
    return result, explain_hits(session, result) if is_explained else {}


def explain_empty(sidecar: Sidecar, request: SearchRequest, result: SearchResult) -> str:
    """Return why a list is empty."""
    if result.rejected:
        return f"no track is left to list; turned down: {result.rejected}"
    other = "other track that matches --from" if request.among else "other track"
    if sidecar.coverage().missing:
        return f"no {other} is analysed; run `beet resonance analyze`"
    return f"there is no {other}" if request.among else f"there is no {other} to list; name fewer, or import more"


def print_json(tracks: Sequence[tuple[Hit, Item]], reasons: Mapping[int, Reason]) -> None:
    """Print one JSON list; a path that is no UTF-8 has its odd bytes as surrogates."""
    rows = []
    for hit, item in tracks:
        row = {"score": round(hit.score, 4), **track_record(item)}
        if hit.id in reasons:
            reason = reasons[hit.id]
            row |= {"shares": round_shares(reason.shares), "words": reason.words, "fits": round_shares(reason.fits)}
        rows.append(row)
    ui.print_(json.dumps(rows, indent=1))


def round_shares(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 3) for name, share in shares.items()}


def track_record(item: Item) -> dict[str, Any]:
    """Return a track as JSON."""
    return {
        "id": item.id,
        "artist": item.artist,
        "title": item.title,
        "album": item.album,
        "path": os.fsdecode(item.path),
        "length": item.length,
    }


def group_record(group: Album | str) -> dict[str, Any]:
    """Return an album, or the name of an artist, as JSON."""
    if isinstance(group, str):
        return {"artist": group}
    return {"id": group.id, "album": group.album, "artist": group.albumartist}


def similar_albums(session: SearchSession, request: SearchRequest) -> list[tuple[float, Album]]:
    """Return the albums closest to those that match, best first, with their scores."""
    from beetsplug.resonance.search.groups import nearest_groups, require_matches, tracks_by_album

    library = session.sidecar.library
    seeds = tracks_by_album(library, request.query)
    require_matches(library, seeds, "album", request.query, "similar")
    candidates = tracks_by_album(library, request.among)
    require_matches(library, candidates, "album", request.among, "similar --from")
    scores = nearest_groups(session, seeds, candidates, request.count)
    albums = {album_id: library.get_album(album_id) for album_id in scores}
    return [(scores[album_id], album) for album_id, album in albums.items() if album is not None]


def similar_artists(session: SearchSession, request: SearchRequest) -> list[tuple[float, str]]:
    """Return the artists closest to those of the tracks that match, best first, with their scores."""
    from beetsplug.resonance.search.groups import nearest_groups, require_matches, tracks_by_artist

    library = session.sidecar.library
    matches = tracks_by_artist(library, request.query)
    require_matches(library, matches, "artist's track", request.query, "similar")
    # All their tracks, not only what matches.
    artists = tracks_by_artist(library, ())
    seeds = {name: artists.get(name, tracks) for name, tracks in matches.items()}
    candidates = tracks_by_artist(library, request.among) if request.among else artists
    require_matches(library, candidates, "artist's track", request.among, "similar --from")
    scores = nearest_groups(session, seeds, candidates, request.count)
    return [(score, name) for name, score in scores.items()]
