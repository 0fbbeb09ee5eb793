"""beet resonance serve: the library as a page and an API, for browsers and players, until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from resonance_engine.errors import printable
from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from optparse import Values
    from pathlib import Path

    from beetsplug.resonance.library.sidecar import Sidecar


def serve(sidecar: Sidecar, opts: Values) -> None:
    """Serve the library until it is stopped; UserError where the extra is not installed or an option makes no sense."""
    from resonance_engine.server.start import TOKEN_FILE, describe_start, require_packages

    require_packages()
    from beetsplug.resonance.server.library_collection import LibraryCollection
    from resonance_engine.server.run import read_or_make_token, run_server
    from resonance_engine.server.settings import make_settings

    recipes = read_folder(opts.recipes)
    token = sidecar.path.with_name(TOKEN_FILE)
    settings = make_settings(opts.host, opts.port, read_or_make_token(token), opts.allow_host or ())

    def announce(address: str) -> None:
        for line in describe_start(sidecar.coverage().total, address, settings, token):
            ui.print_(line)

    run_server(LibraryCollection(sidecar, recipes), settings, announce)


def read_folder(name: str | None) -> Path | None:
    """Return the folder that playlists are saved in, None without one; UserError where it is not there."""
    if name is None:
        return None
    folder = expand_home(name)
    if not folder.is_dir():
        raise UserError(f"resonance: serve --recipes: there is no folder {printable(folder)}")
    return folder.absolute()
