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
    from resonance_engine.server.subsonic.passwords import PasswordFile

PASSWORD_FILE = "resonance-serve.passwords"  # noqa: S105 - a file's name
NO_PASSWORD = "players on them need a password; `beet resonance serve --new-password NAME` makes one"  # noqa: S105 - a sentence


def serve(sidecar: Sidecar, opts: Values) -> None:
    """Serve the library until it is stopped, or do what the options on passwords say.

    UserError where the extra is not installed or an option makes no sense.
    """
    from resonance_engine.server.start import TOKEN_FILE, describe_start, require_packages
    from resonance_engine.server.subsonic.passwords import PasswordFile

    passwords = PasswordFile(sidecar.folder / PASSWORD_FILE)
    if opts.new_password is not None or opts.revoke is not None or opts.passwords:
        edit_passwords(passwords, opts)
        return
    require_packages()
    from beetsplug.resonance.server.library_browser import LibraryBrowser
    from beetsplug.resonance.server.library_collection import LibraryCollection
    from resonance_engine.server.run import read_or_make_token, run_server
    from resonance_engine.server.settings import make_settings
    from resonance_engine.server.subsonic.service import Service

    recipes = read_folder(opts.recipes)
    token = sidecar.folder / TOKEN_FILE
    settings = make_settings(
        opts.host, opts.port, read_or_make_token(token), opts.allow_host or (), bool(opts.log_requests)
    )

    def announce(address: str) -> None:
        for line in describe_start(sidecar.coverage().total, address, settings, token):
            ui.print_(line)
        if settings.is_shared and not passwords.read():
            ui.print_(NO_PASSWORD)

    collection = LibraryCollection(sidecar, recipes)
    run_server(collection, settings, announce, Service(collection, LibraryBrowser(collection), passwords))


def edit_passwords(passwords: PasswordFile, opts: Values) -> None:
    """Revoke or make the password of a player, or list their names; ConfigError where a name does not fit."""
    if opts.revoke is not None:
        passwords.revoke(opts.revoke)
        ui.print_(f"revoked the password of {opts.revoke}")
    if opts.new_password is not None:
        ui.print_(f"user {opts.new_password}, password {passwords.add(opts.new_password)}")
    if opts.passwords:
        names = sorted(passwords.read())
        ui.print_("\n".join(names) if names else "there are no passwords")


def read_folder(name: str | None) -> Path | None:
    """Return the folder that playlists are saved in, None without one; UserError where it is not there."""
    if name is None:
        return None
    folder = expand_home(name)
    if not folder.is_dir():
        raise UserError(f"resonance: serve --recipes: there is no folder {printable(folder)}")
    return folder.absolute()
