"""Where MPD is: the section `mpd:` of beets' configuration, which its own plugins read, else what `mpc` goes by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from beets import config

from resonance_engine.files import expand_home

HOST, PORT = "localhost", 6600
SYSTEM_SOCKET = "/run/mpd/socket"
ABSTRACT = "@"  # begins the name of a socket that no file stands for


class MpdAddress(NamedTuple):
    """A host and port, or a Unix socket as `host`, whose port does not count."""

    host: str
    port: int = PORT

    @property
    def is_socket(self) -> bool:
        return self.host.startswith(("/", ABSTRACT))

    def __str__(self) -> str:
        return self.host if self.is_socket else f"{self.host}:{self.port}"


class MpdSettings(NamedTuple):
    """Addresses to try in turn, and the names of files.

    `folder` is what MPD's paths are relative to, empty where nothing says so; `prefix` is what MPD's paths have in
    front of the part that is in that folder.
    """

    addresses: tuple[MpdAddress, ...]
    password: str = ""
    folder: str = ""
    prefix: str = ""


def read_mpd_settings() -> MpdSettings:
    """Read the settings: host, port, password, music_directory and strip_path; raises confuse's ConfigError.

    A host may begin with a password and an @, as in MPD_HOST.
    """
    host = read_setting("host", str) or os.environ.get("MPD_HOST", "")
    port = read_setting("port", int) or read_port(os.environ.get("MPD_PORT", ""))
    password = read_setting("password", str) or ""
    if ABSTRACT in host[1:] and not host.startswith(ABSTRACT):
        own, _, host = host.partition(ABSTRACT)
        password = password or own
    if host.startswith("~"):
        host = str(expand_home(host))
    if host:
        addresses = [MpdAddress(host, port or PORT)]
    else:
        addresses = [MpdAddress(HOST, port)] if port else [*usual_sockets(), MpdAddress(HOST, PORT)]
    folder = read_setting("music_directory", str)
    prefix = (read_setting("strip_path", str) or "").strip("/")
    return MpdSettings(
        tuple(addresses), password, str(expand_home(folder)) if folder else "", f"{prefix}/" if prefix else ""
    )


def read_setting(name: str, kind: type[Any]) -> Any:
    """Return a setting of the section, which need not be there; None where it is not set."""
    section = config["mpd"]
    if not section.exists() or section.get() is None or not (view := section[name]).exists() or view.get() is None:
        return None
    return view.as_str() if kind is str else view.get(kind)


def read_port(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def usual_sockets() -> list[MpdAddress]:
    """Return the sockets of a user's own and of the system's MPD, where they are."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    paths = [*([Path(runtime, "mpd", "socket")] if runtime else []), Path(SYSTEM_SOCKET)]
    return [MpdAddress(str(path)) for path in paths if path.is_socket()]
