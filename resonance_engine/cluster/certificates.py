"""The certificates of a connection to a scheduler, and what is wrong with them, as sentences."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from resonance_engine.errors import ConfigError, describe_os_error, printable

if TYPE_CHECKING:
    from distributed.security import Security

    from resonance_engine.cluster.settings import ClusterSettings

KEY_MARK = b"PRIVATE KEY-----"
CERTIFICATE_MARK = b"BEGIN CERTIFICATE-----"
NO_TLS = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_TOO_LONG", "RECORD_LAYER_FAILURE")
REFUSALS = ("UNKNOWN_CA", "CERTIFICATE", "ACCESS_DENIED")  # in the alert of a scheduler that refuses a certificate


def make_security(settings: ClusterSettings) -> Security | None:
    """Return the certificates for a connection; raises ConfigError where one is missing or unreadable."""
    if not settings.address.startswith("tls:"):
        return None
    from distributed.security import Security

    given = {"tls_ca_file": settings.ca, "tls_client_cert": settings.certificate, "tls_client_key": settings.key}
    security = Security(require_encryption=True, **{name: path for name, path in given.items() if path})
    if not (security.tls_ca_file and security.tls_client_cert):
        raise ConfigError(
            "tls:// needs the certificate of the authority and one of this client: --scheduler-ca and --scheduler-cert "
            "(with --scheduler-key where the key is a file of its own), or Dask's configuration distributed.comm.tls."
        )
    try:
        defect = find_defect(security)
    except OSError as error:
        defect = describe_os_error(error)
    if defect:
        raise ConfigError(f"The certificates for {settings.address} cannot be used: {defect}.")
    return security


def find_defect(security: Security) -> str:
    """Return a clause on the first file that is not what it should be, empty where all are.

    OpenSSL names neither the file nor the option. Raises OSError where one cannot be read.
    """
    ca, certificate, key = security.tls_ca_file, security.tls_client_cert, security.tls_client_key
    for path, flag in ((ca, "--scheduler-ca"), (certificate, "--scheduler-cert")):
        if CERTIFICATE_MARK not in Path(path).read_bytes():
            return f"{printable(path)} ({flag}) holds no certificate"
    if KEY_MARK not in Path(key or certificate).read_bytes():
        if key:
            return f"{printable(key)} (--scheduler-key) holds no private key"
        return f"{printable(certificate)} (--scheduler-cert) holds no private key; --scheduler-key names the file of it"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
    except ssl.SSLError as error:
        return f"{printable(ca)} (--scheduler-ca) is damaged ({describe_tls_error(error)})"
    try:
        security.get_connection_args("client")
    except ssl.SSLError as error:
        pair = f"{printable(certificate)} (--scheduler-cert)"
        pair += f" and {printable(key)} (--scheduler-key) do not belong together" if key else " is damaged"
        return f"{pair} ({describe_tls_error(error)})"
    return ""


def explain_tls_error(settings: ClusterSettings, security: Security, error: ssl.SSLError) -> str:
    """Return a sentence on why the two sides of a connection did not agree, and which option to look at."""
    address, reason = settings.address, error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of the scheduler at {address} does not pass with {printable(security.tls_ca_file)} "
            f"({error.verify_message}); --scheduler-ca must name the authority that issued it."
        )
    if "ALERT" in reason and any(name in reason for name in REFUSALS):
        return (
            f"The scheduler at {address} refuses the certificate {printable(security.tls_client_cert)} "
            f"({describe_tls_error(error)}); --scheduler-cert must name one of the scheduler's own authority."
        )
    if "ALERT" in reason:
        return f"The scheduler at {address} ends the handshake of TLS ({describe_tls_error(error)})."
    if reason in NO_TLS:
        netloc = urlsplit(address).netloc
        return f"What listens at {address} does not use TLS; a scheduler without certificates is tcp://{netloc}."
    return f"No encrypted connection to {address} comes about ({describe_tls_error(error)})."


def describe_tls_error(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in lower case."""
    return error.reason.replace("_", " ").lower() if error.reason else str(error)
