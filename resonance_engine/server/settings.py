"""The settings of a server: where it listens, who may read and write, and its limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 8338
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
MEGABYTE = 1_000_000
LARGEST_PORT = 65_535


@dataclass(frozen=True)
class ServerSettings:
    """Address, access and limits of a server.

    `token` is needed to write, and to read, too, where other machines reach the server. `names` are those of hosts,
    without ports, that requests may be addressed to beside the loopback's and `host` itself. `threads` answer at a
    time, others wait. An upload has at most `upload_bytes`, and `upload_seconds` to arrive. With `log_requests` each
    request is a line of the log.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    token: str = ""
    names: tuple[str, ...] = ()
    threads: int = 2
    upload_bytes: int = 200 * MEGABYTE
    upload_seconds: float = 60.0
    log_requests: bool = False

    def __post_init__(self) -> None:
        if self.is_shared and not self.token:
            raise ConfigError(f"A server on {self.host} that other machines reach needs a token.")

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach the address."""
        try:
            return not ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def is_shared(self) -> bool:
        """Whether other machines reach the server, at its own address or by a proxy, which passes on other names."""
        return self.is_public or bool(self.names)

    @property
    def hosts(self) -> frozenset[str]:
        """The host names, without ports, that a request may be addressed to, lower case."""
        own = f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        return frozenset(name.lower() for name in (*LOOPBACK_NAMES, own, *self.names))


def make_settings(
    host: str | None, port: int | None, token: str, names: Sequence[str], log_requests: bool
) -> ServerSettings:
    """Return the settings of a command line, None for what was not given; ConfigError for a port that is none."""
    if port is not None and not 0 <= port <= LARGEST_PORT:
        raise ConfigError(f"--port must be 0 (a free one) to {LARGEST_PORT:,}, not {port}.")
    port = PORT if port is None else port
    return ServerSettings(host or "127.0.0.1", port, token, tuple(names), log_requests=log_requests)
