"""beet playlist QUERY: an ordered list of tracks, printed or written; or files of such lists made again."""

from __future__ import annotations

import difflib
import json
import sys
from optparse import OptionGroup
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import announce_coverage, opened, tracks, user_errors
from beetsplug.resonance.commands.options import SearchOptions, add_search_options, wish_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.playlist.builder import BuiltPlaylist
    from beetsplug.resonance.playlist.refresh import RefreshedPlaylist
    from beetsplug.resonance.playlist.request import PlaylistRequest

SUFFIXES = (".m3u", ".m3u8")
# Of each pair, the one on the command line puts the other out of a profile.
RIVALS = (("count", "minutes"), ("weights", "like"), ("to", "arc"))
REFRESH_ALONE = ("refresh", "pretend", "format", "path")  # with --refresh; all else is in the recipe


class PlaylistOptions(SearchOptions, Protocol):
    minutes: float | None
    profile: str | None
    output: str | None
    paths: bool | None
    json: bool | None
    refresh: bool | None
    pretend: bool | None


def command(settings: Callable[[], Settings], log: BeetsLogger) -> ui.Subcommand:
    made = ui.Subcommand("playlist", help="make a playlist that starts at QUERY", aliases=("res-playlist",))
    made.parser.usage = (
        "%prog [options] QUERY\n       %prog --refresh FILE [FILE...]"
        "\n\nOpens with the matching track that is most typical of QUERY, goes on with what sounds alike."
        "\n\nExample: beet playlist -n 15 title:'no surprises'"
        "\nExample: beet playlist --minutes 60 -o evening.m3u8 artist:radiohead"
        "\nExample: beet playlist --arc energy:rise --from 'genres:jazz' genres:jazz"
        "\nExample: beet playlist title:'so what' --via artist:air --to title:'blue train'"
        "\nExample: beet playlist --recent 5 --paths | mpc add"
        "\nExample: beet playlist --refresh ~/Music/*.m3u8"
    )
    add_search_options(made.parser)
    add_list_options(made.parser)
    made.parser.add_path_option()
    made.parser.add_format_option(target="item")

    @user_errors
    def playlist(lib: Library, opts: PlaylistOptions, args: list[str]) -> None:
        if opts.refresh:
            verified_refresh(opts, args)
            with opened(lib, settings()) as sidecar:
                announce_coverage(sidecar, log)
                refresh(sidecar, [Path(each).expanduser() for each in args], bool(opts.pretend), log)
            return
        programme = programme_from(opts, args, settings())
        verified_output(opts)
        with opened(lib, settings()) as sidecar:
            announce_coverage(sidecar, log)
            make(sidecar, programme, opts, log)

    made.func = playlist
    return made


def add_list_options(parser: Any) -> None:
    """Add the options of what is made of the tracks that were found, and of where it goes."""
    order = OptionGroup(parser, "How the list goes")
    add = order.add_option
    add("-m", "--minutes", type="float", metavar="M", help="how long it plays, instead of -n")
    add("--to", metavar="QUERY", help="lead in even steps to the track of this query; exact ends, no repeats")
    add("--via", action="append", metavar="QUERY", help="on the way, lead through this; can be repeated, in order")
    add("--arc", metavar="COURSE", help="energy, tempo or brightness, then rise, fall, peak or valley: energy:rise")
    add("--works", metavar="HOW", help="movements of a work `together` (the default), `avoid` several, or `ignore`")
    add("--spacing", type="int", metavar="N", help="tracks between two of one artist or album (resonance.spacing, 2)")
    add("--seed", type="int", metavar="N", help="vary the list; the same number gives the same list")
    add("--recent", type="int", metavar="N", help="start from the N tracks played last (that match QUERY, if given)")
    add("--profile", metavar="NAME", help="options from resonance.profiles; those on the command line go before")
    parser.add_option_group(order)
    output = OptionGroup(parser, "Where it goes")
    add = output.add_option
    add("-o", "--output", metavar="FILE", help="write an .m3u8 or .m3u file, with the recipe, instead of printing")
    add("--absolute", action="store_true", default=None, help="absolute paths in the file, not relative to it")
    add("--paths", action="store_true", help="print absolute paths byte for byte and nothing else, for `| mpc add`")
    add("--json", action="store_true", help="print one JSON list")
    add("--refresh", action="store_true", help="make the lists in FILEs again: keep what still holds, fill up")
    add("--pretend", action="store_true", help="with --refresh, only say what would change")
    parser.add_option_group(output)


def programme_from(opts: PlaylistOptions, args: list[str], settings: Settings) -> PlaylistRequest:
    """The programme that a command line comes to, its profile's options behind its own; raises UserError."""
    from beetsplug.resonance.playlist.request import OWN, PlaylistRequest
    from beetsplug.resonance.search.request import SearchRequest

    if opts.count is not None and opts.minutes is not None:
        raise UserError("playlist: give either -n or --minutes, not both")
    if opts.pretend:
        raise UserError("playlist: --pretend goes with --refresh")
    wish = wish_from(opts, args, settings, "playlist")
    given = {name: getattr(wish, name) for name in SearchRequest.names() if getattr(opts, name, None) is not None}
    given |= {name: getattr(opts, name) for name in OWN if getattr(opts, name) is not None}
    given |= {"query": tuple(args)} if args else {}
    usual = {"count": settings.count, **profile(opts.profile, settings)}
    for pair in RIVALS:
        if any(name in given for name in pair):
            usual = {name: value for name, value in usual.items() if name not in pair}
    merged = {**usual, **given}
    # A recipe is read wherever beet runs.
    merged["file"] = [str(Path(each).expanduser().absolute()) for each in merged.get("file", ())]
    programme = PlaylistRequest.of(merged)
    if programme.seedless:
        raise UserError("playlist: name a track to start from, for example `beet playlist title:yesterday`")
    return programme


def profile(name: str | None, settings: Settings) -> Mapping[str, Any]:
    """The options of a profile; none for no name. Raises UserError for a name that is not in the configuration."""
    if name is None:
        return {}
    if name not in settings.profiles:
        near = difflib.get_close_matches(name, settings.profiles, 1)
        known = f"there are {', '.join(settings.profiles)}" if settings.profiles else "it has none"
        hint = f"did you mean {near[0]}?" if near else known
        raise UserError(f"playlist: resonance.profiles in the configuration has no {name!r}; {hint}")
    return settings.profiles[name]


def verified_output(opts: PlaylistOptions) -> None:
    """Raise UserError for more than one kind of output, or a file that is no playlist."""
    chosen = [name for name in ("output", "paths", "json") if getattr(opts, name)]
    if len(chosen) > 1:
        raise UserError(f"playlist: give one of {' and '.join(f'--{name}' for name in chosen)}")
    # Anything else would sooner or later be somebody's song.
    if opts.output is not None and Path(opts.output).suffix.lower() not in SUFFIXES:
        raise UserError(f"playlist: -o names a file that ends in .m3u8 or .m3u, not {opts.output!r}")


def verified_refresh(opts: PlaylistOptions, args: list[str]) -> None:
    """Raise UserError where --refresh has no file, or comes with what is in the recipe."""
    extra = [name for name, value in vars(opts).items() if value not in (None, False, []) and name not in REFRESH_ALONE]
    if extra:
        from beetsplug.resonance.search.request import option

        raise UserError(f"playlist: --refresh makes a list by the recipe in its file; leave {option(extra[0])} out")
    if not args:
        raise UserError("playlist: --refresh needs a file, for example `beet playlist --refresh evening.m3u8`")


def make(sidecar: Sidecar, programme: PlaylistRequest, opts: PlaylistOptions, log: BeetsLogger) -> None:
    """Make the list and put it where it is wanted."""
    from beetsplug.resonance.commands.output import described
    from beetsplug.resonance.playlist.builder import PlaylistBuilder
    from beetsplug.resonance.search.session import open_session
    from resonance_engine.errors import printable

    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    with open_session(sidecar, model) as search:
        composed = PlaylistBuilder(search, programme).composed()
    for note in composed.notes:
        log.info("{}", note)
    if not composed.items:
        raise UserError("playlist: there is no track to list; ask for less, or import more")
    if opts.output is not None:
        target = Path(opts.output).expanduser()
        count = write(composed.items, target, programme.recipe().text(), bool(programme.absolute), log)
        ui.print_(f"{tracks(count)} written to {printable(target)}")
    elif opts.paths:
        print_paths(composed, log)
    elif opts.json:
        ui.print_(json.dumps([described(item) for item in composed.items], indent=1))
    else:
        for item in composed.items:
            ui.print_(format(item))


def print_paths(composed: BuiltPlaylist, log: BeetsLogger) -> None:
    """Absolute paths, one a line, byte for byte: what a name is in UTF-8 is not known to be."""
    kept = [item.path for item in composed.items if b"\n" not in item.path]
    if len(kept) < len(composed.items):
        log.warning("{} left out, for a line cannot hold a line break", tracks(len(composed.items) - len(kept)))
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(path + b"\n" for path in kept))
    sys.stdout.buffer.flush()


def write(items: Sequence[Item], path: Path, recipe: str, absolute: bool, log: BeetsLogger) -> int:
    """Write a playlist file whole or not at all, and say how many tracks it holds."""
    from resonance_engine.errors import printable
    from resonance_engine.playlist import m3u

    entries = [m3u.M3uEntry(item.path, item.length or 0.0, item.artist, item.title) for item in items]
    try:
        count = m3u.write(path, entries, recipe, absolute)
    except OSError as error:
        raise UserError(f"playlist: {printable(path)} cannot be written: {error.strerror}") from error
    if count < len(entries):
        log.warning("{} left out, for a playlist cannot hold a line break in a path", tracks(len(entries) - count))
    return count


def refresh(sidecar: Sidecar, paths: Sequence[Path], pretend: bool, log: BeetsLogger) -> None:
    """Make the lists in files again and print what became of each; one that cannot be made does not stop the others."""
    from beetsplug.resonance.playlist.refresh import refresh_playlist
    from beetsplug.resonance.search.session import open_session
    from resonance_engine.errors import ResonanceError

    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    failed = 0
    for path in paths:
        try:
            with open_session(sidecar, model) as search:
                found = refresh_playlist(search, path)
            renew(found, pretend, log)
        except (UserError, ResonanceError) as error:
            if len(paths) == 1:
                raise
            log.error("{}", error)
            failed += 1
    if failed:
        raise UserError(f"playlist: {failed} of {len(paths)} playlists could not be made again")


def renew(found: RefreshedPlaylist, pretend: bool, log: BeetsLogger) -> None:
    """Print what became of a list and write it in place of the old one."""
    from resonance_engine.errors import printable

    if not found.items:
        raise UserError(f"playlist: nothing is left for {printable(found.path)}; it stays as it is")
    ui.print_(f"{printable(found.path)}: {found.difference}")
    for line in found.lines():
        ui.print_(line)
    for note in found.notes:
        log.info("{}", note)
    if found.changed and not pretend:
        write(found.items, found.path, found.recipe, bool(found.programme.absolute), log)
