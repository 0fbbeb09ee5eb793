"""beet playlist QUERY: an ordered list of tracks, printed or written; or refreshed files of such lists."""

from __future__ import annotations

import json
import sys
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError
from beets.util.units import human_seconds_short

from beetsplug.resonance.commands.common import given_template, require_searchable, user_errors
from beetsplug.resonance.commands.mpd import open_queue, queue_tracks
from beetsplug.resonance.commands.parser import CommandParser
from beetsplug.resonance.config.options import add_options, command_options, flag_of, given_options
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import format_tracks
from resonance_engine.files import expand_home, verify_target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from optparse import Values
    from pathlib import Path

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.commands.common import OpenSidecar
    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.players.mpd_queue import MpdQueue
    from beetsplug.resonance.playlist.builder import BuiltPlaylist
    from beetsplug.resonance.playlist.refresh import RefreshedPlaylist
    from beetsplug.resonance.playlist.request import PlaylistRequest

UNKNOWN_LENGTH = "-:--"
WITH_REFRESH = ("refresh", "pretend", "format", "path")  # all else is in the recipe


def command(open_sidecar: OpenSidecar, log: BeetsLogger) -> ui.Subcommand:
    playlist = ui.Subcommand("playlist", CommandParser(), "make a playlist that starts at QUERY", ("res-playlist",))
    parser = playlist.parser
    parser.usage = (
        "%prog [options] QUERY\n       %prog --refresh FILE [FILE...]"
        "\n\nOpens with the matching track that is most typical of QUERY, goes on with what sounds alike;"
        "\nwith --arc, it opens with the track that fits where the arc begins, which QUERY may not match."
        "\n\nExample: beet playlist -n 15 title:'no surprises'"
        "\nExample: beet playlist --minutes 60 -o evening.m3u8 artist:radiohead"
        "\nExample: beet playlist --arc energy:rise --from 'genres:jazz' genres:jazz"
        "\nExample: beet playlist title:'so what' --via artist:air --to title:'blue train'"
        "\nExample: beet playlist --recent 5 --paths | mpc add"
        "\nExample: beet playlist --refresh ~/Music/*.m3u8"
    )
    add_options(parser, command_options("playlist"))
    parser.add_path_option()
    parser.add_format_option(target="item")

    @user_errors("playlist")
    def run(lib: Library, opts: Values, args: list[str]) -> None:
        if opts.refresh:
            check_refresh(opts, args)
            with closing(open_sidecar(lib)) as sidecar:
                require_searchable(sidecar, log)
                refresh_files(sidecar, [expand_home(name) for name in args], bool(opts.pretend), log)
            return
        with closing(open_sidecar(lib)) as sidecar:
            request = parse_request(opts, args, sidecar.settings)
            require_searchable(sidecar, log)
            with open_queue(lib) if opts.mpd else nullcontext() as queue:
                build_playlist(sidecar, request, opts, log, queue)

    playlist.func = run
    return playlist


def parse_request(opts: Values, args: list[str], settings: Settings) -> PlaylistRequest:
    """Parse a command line to a playlist request; its options override those of its profile. Raises UserError."""
    from beetsplug.resonance.config.profiles import override_profile
    from beetsplug.resonance.playlist.request import PlaylistRequest
    from resonance_engine.playlist import m3u

    if opts.count is not None and opts.minutes is not None:
        raise UserError("playlist: give either -n or --minutes, not both")
    if opts.pretend:
        raise UserError("playlist: --pretend goes with --refresh")
    given = given_options(opts, args, "playlist")
    options = override_profile(settings.profiles, opts.profile, given, {"count": settings.count})
    # A recipe is read wherever beet runs.
    options["file"] = [str(expand_home(path).absolute()) for path in options.get("file", ())]
    request = PlaylistRequest(**options)
    if request.is_seedless:
        raise UserError("playlist: name a track to start from, for example `beet playlist title:yesterday`")
    if opts.absolute and opts.output is None:
        raise UserError("playlist: --absolute is about the paths in a file; name it with -o")
    outputs = [flag_of(name) for name in ("output", "paths", "json", "mpd") if getattr(opts, name)]
    if len(outputs) > 1:
        raise UserError(f"playlist: give one of {' and '.join(outputs)}")
    if opts.output is not None:
        verify_target(expand_home(opts.output), "playlist -o", m3u.SUFFIXES)
    return request


def check_refresh(opts: Values, args: list[str]) -> None:
    """Raise UserError where --refresh has no file, or comes with what is in the recipe."""
    extra = [name for name, value in vars(opts).items() if value not in (None, False, []) and name not in WITH_REFRESH]
    if extra:
        raise UserError(f"playlist: --refresh makes a list by the recipe in its file; leave {flag_of(extra[0])} out")
    if not args:
        raise UserError("playlist: --refresh needs a file, for example `beet playlist --refresh evening.m3u8`")


def build_playlist(
    sidecar: Sidecar, request: PlaylistRequest, opts: Values, log: BeetsLogger, queue: MpdQueue | None
) -> None:
    """Build the playlist, and print or write it, or print and append it to a queue."""
    from beetsplug.resonance.commands.similar import track_record
    from beetsplug.resonance.playlist.builder import PlaylistBuilder
    from beetsplug.resonance.search.session import open_session
    from resonance_engine.errors import printable
    from resonance_engine.playlist.recipe import write_recipe

    in_lines = opts.output is not None or bool(opts.paths) or queue is not None
    with open_session(sidecar) as session:
        playlist = PlaylistBuilder(session, request, in_lines=in_lines).build()
    for note in playlist.notes:
        log.info("{}", note)
    if not playlist.items:
        raise UserError("playlist: there is no track to list; ask for less, or import more")
    if gone := [item for item in playlist.items if not item.filepath.exists()]:
        log.warning(
            "{} of the list without a file, such as {}; where it is gone for good, `beet update` removes the track",
            format_tracks(len(gone)),
            printable(gone[0].path),
        )
    if opts.output is not None:
        target = expand_home(opts.output)
        write_file(playlist.items, target, write_recipe(request.recipe()), request.is_absolute)
        ui.print_(f"{describe_length(playlist.items)} written to {printable(target)}")
    elif opts.paths:
        print_paths(playlist)
    elif opts.json:
        ui.print_(json.dumps([track_record(item) for item in playlist.items], indent=1))
    else:
        print_tracks(playlist.items, given_template(opts), with_total=request.length.seconds is not None)
        if queue is not None:
            queue_tracks(queue, playlist.items, log)


def print_tracks(items: Sequence[Item], template: str | None, with_total: bool) -> None:
    """Print tracks, one a line; without a template, with their lengths in front and, if wanted, a total below."""
    is_plain = template is not None
    lengths = [human_seconds_short(item.length) if item.length else UNKNOWN_LENGTH for item in items]
    width = max(map(len, lengths))
    for item, length in zip(items, lengths, strict=True):
        line = describe_entry(item, template)
        ui.print_(line if is_plain else f"{length:>{width}}  {line}")
    if with_total and not is_plain:
        ui.print_(describe_length(items))


def describe_length(items: Sequence[Item]) -> str:
    """Return how many tracks these are, and how long they play together: "15 tracks, 61:12"."""
    return f"{format_tracks(len(items))}, {human_seconds_short(sum(item.length or 0.0 for item in items))}"


def print_paths(playlist: BuiltPlaylist) -> None:
    """Print absolute paths, one a line, byte for byte: they may be no UTF-8."""
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(item.path + b"\n" for item in playlist.items))
    sys.stdout.buffer.flush()


def write_file(items: Sequence[Item], path: Path, recipe: str, is_absolute: bool) -> None:
    """Write a playlist file whole or not at all."""
    from resonance_engine.errors import printable
    from resonance_engine.playlist import m3u

    entries = [m3u.M3uEntry(item.path, item.length or 0.0, item.artist, item.title) for item in items]
    try:
        m3u.write_playlist(path, entries, recipe, is_absolute)
    except OSError as error:
        raise UserError(f"playlist: {printable(path)} cannot be written: {error.strerror}") from error


def refresh_files(sidecar: Sidecar, paths: Sequence[Path], is_pretended: bool, log: BeetsLogger) -> None:
    """Refresh playlist files and print the difference of each; one that fails does not stop the others."""
    from beetsplug.resonance.playlist.refresh import refresh_playlist
    from beetsplug.resonance.search.session import open_session
    from resonance_engine.errors import ResonanceError, printable

    failed = 0
    with open_session(sidecar) as session:
        for path in paths:
            try:
                finish_refresh(refresh_playlist(session, path), is_pretended, log)
            except (UserError, ResonanceError) as error:
                if len(paths) == 1:
                    raise
                name = printable(path)
                log.error("{}", error if name in str(error) else f"{name}: {error}")
                failed += 1
    if failed:
        raise UserError(f"playlist: {failed} of {len(paths)} playlists could not be made again")


def finish_refresh(playlist: RefreshedPlaylist, is_pretended: bool, log: BeetsLogger) -> None:
    """Write the list in place of the old one, and print the difference."""
    from resonance_engine.errors import printable

    if not playlist.items:
        raise UserError(f"playlist: nothing is left for {printable(playlist.path)}; it stays as it is")
    if playlist.is_changed and not is_pretended:
        write_file(playlist.items, playlist.path, playlist.recipe, playlist.request.is_absolute)
    ui.print_(f"{printable(playlist.path)}: {playlist.difference}")
    for line in playlist.lines():
        ui.print_(line)
    for note in playlist.notes:
        log.info("{}", note)
