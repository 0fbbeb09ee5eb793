"""beet resonance serve: the library as a page and an API, for browsers and players, until it is stopped."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from resonance_engine.errors import SERVE_EXTRA, printable
from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from optparse import Values
    from pathlib import Path

    from beetsplug.resonance.library.sidecar import Sidecar

PACKAGES = ("fastapi", "uvicorn")
TOKEN_FILE = "resonance-serve.token"  # noqa: S105 - a file's name
LARGEST_PORT = 65_535


def serve(sidecar: Sidecar, opts: Values) -> None:
    """Serve the library until it is stopped; UserError where the extra is not installed or an option makes no sense."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(f"resonance: serve needs {missing[0]}; install it into beets' environment with {SERVE_EXTRA}")
    from beetsplug.resonance.server.library_collection import LibraryCollection
    from resonance_engine.server.run import read_or_make_token, run_server
    from resonance_engine.server.settings import PORT, ServerSettings

    port = PORT if opts.port is None else opts.port
    if not 0 <= port <= LARGEST_PORT:
        raise UserError(f"resonance: serve --port must be 0 to {LARGEST_PORT:,}, not {port}")
    recipes = read_folder(opts.recipes)
    token = read_or_make_token(sidecar.path.with_name(TOKEN_FILE))
    settings = ServerSettings(opts.host or "127.0.0.1", port, token, tuple(opts.allow_host or ()))

    def announce(address: str) -> None:
        ui.print_(f"serving {sidecar.coverage().total:,} tracks at {address} (Ctrl-C ends it)")
        if settings.is_public:
            ui.print_(f"other machines need the token in {printable(sidecar.path.with_name(TOKEN_FILE))}")

    run_server(LibraryCollection(sidecar, recipes), settings, announce)


def read_folder(name: str | None) -> Path | None:
    """Return the folder that playlists are saved in, None without one; UserError where it is not there."""
    if name is None:
        return None
    folder = expand_home(name)
    if not folder.is_dir():
        raise UserError(f"resonance: serve --recipes: there is no folder {printable(folder)}")
    return folder.absolute()
