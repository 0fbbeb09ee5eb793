"""What listens at the address of a scheduler, before Dask's client connects, which waits for its answer without end."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from resonance_engine.cluster.certificates import explain_tls_error
from resonance_engine.errors import ClusterError, describe_os_error

if TYPE_CHECKING:
    from distributed.security import Security

    from resonance_engine.cluster.settings import ClusterSettings

PLAIN_SECONDS = 1.0  # for a scheduler without TLS to begin; what is silent that long is tried with it


def verify_endpoint(settings: ClusterSettings, security: Security | None, seconds: float) -> None:
    """Raise ClusterError, with the remedy, unless something at the address sends first, as a scheduler does.

    It may take so many seconds.
    """
    deadline = time.monotonic() + seconds
    address = settings.address
    try:
        connection = connect(settings, seconds)
    except OSError as error:
        advice = "; `dask scheduler` starts one" if isinstance(error, ConnectionRefusedError) else ""
        raise ClusterError(f"No scheduler answers at {address} ({describe_os_error(error)}){advice}.") from error
    with connection:
        try:
            if security is None:
                first = receive_plain(settings, connection, deadline)
            else:
                first = receive_encrypted(connection, security)
        except TimeoutError as error:
            raise silent_error(address, seconds) from error
        except (ssl.SSLEOFError, ConnectionError):
            first = b""
        except ssl.SSLError as error:
            assert security is not None, "nothing is encrypted without certificates"
            raise ClusterError(explain_tls_error(settings, security, error)) from error
    if not first:
        raise ClusterError(
            f"What listens at {address} closed the connection: it is no Dask scheduler, or a tunnel that leads to none."
        )


def connect(settings: ClusterSettings, seconds: float) -> socket.socket:
    parts = urlsplit(settings.address)
    assert parts.hostname, "settings are verified first"
    return socket.create_connection((parts.hostname, parts.port or 0), seconds)


def receive_plain(settings: ClusterSettings, connection: socket.socket, deadline: float) -> bytes:
    """Return the first byte; raises TimeoutError at the deadline, ClusterError where the other side uses TLS.

    A scheduler with certificates is silent here, for it waits for this side to begin.
    """
    connection.settimeout(min(PLAIN_SECONDS, seconds_until(deadline)))
    try:
        return connection.recv(1)
    except TimeoutError:
        if uses_tls(settings, seconds_until(deadline)):
            netloc = urlsplit(settings.address).netloc
            raise ClusterError(
                f"What listens at {settings.address} uses TLS; a scheduler with certificates is tls://{netloc}, with "
                "--scheduler-ca and --scheduler-cert."
            ) from None
    connection.settimeout(seconds_until(deadline))
    return connection.recv(1)


def receive_encrypted(connection: socket.socket, security: Security) -> bytes:
    """Return the first byte after the handshake; with it comes a refusal of this side's certificate."""
    context: ssl.SSLContext = security.get_connection_args("client")["ssl_context"]
    with context.wrap_socket(connection) as encrypted:
        return encrypted.recv(1)


def uses_tls(settings: ClusterSettings, seconds: float) -> bool:
    """Return whether what listens at an address takes part in a handshake of TLS, with whatever certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent
    try:
        with connect(settings, seconds) as connection, context.wrap_socket(connection):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def seconds_until(deadline: float) -> float:
    """Return the seconds to a deadline, enough to look once after it."""
    return max(deadline - time.monotonic(), 0.01)


def silent_error(address: str, seconds: float) -> ClusterError:
    return ClusterError(
        f"What listens at {address} is no Dask scheduler, or one that hangs: it did not answer within {seconds:g} s."
    )
