"""What a scheduler may be: its address, and what a connection to it must have."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from resonance_engine.errors import ConfigError


@dataclass(frozen=True)
class ClusterSettings:
    """Where the scheduler is, `tcp://HOST:PORT` or `tls://HOST:PORT`, and how files get to the workers.

    `ca`, `certificate` and `key` are PEM files; what is empty is taken from Dask's own configuration. `is_insecure`
    allows `tcp://` to other machines. With `sends_files` workers get the files' content, else their paths.
    """

    address: str
    ca: str = ""
    certificate: str = ""
    key: str = ""
    is_insecure: bool = False
    sends_files: bool = False


def verify_settings(settings: ClusterSettings) -> None:
    """Raise ConfigError for an address that is none, and for a connection that others could read or take over."""
    try:
        parts = urlsplit(settings.address)
        complete = parts.scheme in ("tcp", "tls") and bool(parts.hostname and parts.port) and not parts.path
    except ValueError:  # a port that is none
        complete = False
    if not complete:
        raise ConfigError(
            f"The scheduler must be tcp://HOST:PORT or tls://HOST:PORT, such as tls://music.example:8786, not "
            f"{settings.address!r}."
        )
    if parts.scheme == "tls":
        return
    if settings.ca or settings.certificate or settings.key:
        raise ConfigError(f"Certificates are for tls://, not for {settings.address}.")
    if not settings.is_insecure and not is_loopback(parts.hostname or ""):
        raise ConfigError(
            f"{settings.address} is not encrypted, and whoever reaches such a scheduler runs any code on its "
            "workers and here; use tls:// with certificates, a tunnel to a port of this machine, or "
            "--insecure-scheduler in a network where you trust everybody."
        )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or number alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
