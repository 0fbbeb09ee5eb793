"""beet radio [QUERY]: follows what MPD plays, and keeps ten tracks ahead of it in the queue."""

from __future__ import annotations

import random
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from beets import ui

from beetsplug.resonance.commands.common import require_searchable, user_errors
from beetsplug.resonance.commands.mpd import open_queue
from beetsplug.resonance.commands.parser import CommandParser
from beetsplug.resonance.config.options import RADIO_NAMES, add_options, command_options, given_options

if TYPE_CHECKING:
    from optparse import Values

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.commands.common import OpenSidecar
    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.playlist.radio import RadioSession

LARGEST_SEED = 2**31


def command(open_sidecar: OpenSidecar, log: BeetsLogger) -> ui.Subcommand:
    radio = ui.Subcommand("radio", CommandParser(), "keep MPD's queue filled with what sounds alike", ("res-radio",))
    parser = radio.parser
    parser.usage = (
        "%prog [options] [QUERY]"
        "\n\nPlays from the matching track that is most typical of QUERY, or follows the song that MPD plays, and"
        "\nkeeps ten tracks ahead until Ctrl-C. A song that you put on is what it goes by from then on; one of its"
        "\nown that you skip early counts as --not, one played to its end a quarter. It removes nothing from the"
        "\nqueue. MPD is that of `mpd:` in the configuration, or of MPD_HOST and MPD_PORT."
        "\n\nExample: beet radio"
        "\nExample: beet radio --from genres:jazz title:'so what'"
        "\nExample: beet radio --text 'calm piano' --vocals none"
    )
    add_options(parser, command_options("radio"))
    parser.add_format_option(target="item")

    @user_errors("radio")
    def run(lib: Library, opts: Values, args: list[str]) -> None:
        with closing(open_sidecar(lib)) as sidecar:
            session = open_radio(opts, args, sidecar.settings)
            require_searchable(sidecar, log)
            with open_queue(lib) as queue:
                from beetsplug.resonance.players.radio import Radio

                Radio(queue, sidecar, session, show, log).run()

    radio.func = run
    return radio


def open_radio(opts: Values, args: list[str], settings: Settings) -> RadioSession:
    """Return the session of a command line, whose options override those of its profile; raises UserError.

    What shapes a list, such as its length or an arc, is left out of a profile.
    """
    from beetsplug.resonance.config.profiles import override_profile
    from beetsplug.resonance.playlist.radio import RadioSession
    from beetsplug.resonance.playlist.request import PlaylistRequest

    given = given_options(opts, args, "radio")
    # Else a song would always be followed by the same ones.
    default = {"seed": random.randrange(LARGEST_SEED)}  # noqa: S311 - variety, no secret
    merged = override_profile(settings.profiles, opts.profile, given, default)
    options = {name: value for name, value in merged.items() if name in RADIO_NAMES}
    PlaylistRequest(**options)  # a mistake is named before anything plays
    return RadioSession(options)


def show(event: str, item: Item) -> None:
    """Print what happens to a track, at once."""
    ui.print_(f"{event:<8} {format(item)}")
    sys.stdout.flush()
