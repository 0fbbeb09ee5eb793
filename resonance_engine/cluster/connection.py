"""The connection to a Dask scheduler: what is allowed, and the requests to workers through it."""

from __future__ import annotations

import ipaddress
import logging
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from resonance_engine.cluster.remote import handle, release
from resonance_engine.errors import CLUSTER_EXTRA, ConfigError, ResonanceError, describe_os_error
from resonance_engine.worker.protocol import Message, decode, encode

if TYPE_CHECKING:
    from concurrent.futures import Future

    from distributed import Client
    from distributed import Future as TaskFuture
    from distributed.security import Security

    Answer = tuple[Any, Message | BaseException]

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
ANSWER_SECONDS = 60.0  # for a result to come from a worker that has it
FETCHERS = 8
LOGGERS = ("distributed.client", "distributed.core", "distributed.batched", "distributed.comm.tcp")


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
        for path in filter(None, (security.tls_ca_file, security.tls_client_cert, security.tls_client_key)):
            Path(path).open("rb").close()  # OpenSSL would not name the file
        security.get_connection_args("client")
    except OSError as error:
        reason = describe_os_error(error)
        raise ConfigError(f"The certificates for {settings.address} cannot be used: {reason}.") from error
    return security


class SchedulerConnection:
    """A client of a scheduler, for the pools of one command; `close` it.

    Raises ConfigError where the settings do not do or the extra is missing, ResonanceError where nobody answers.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        verify_settings(settings)
        try:
            from distributed import Client
        except ImportError as error:
            raise ConfigError(f"--scheduler needs Dask: {CLUSTER_EXTRA}.") from error
        self.settings = settings
        security = make_security(settings)
        for name in LOGGERS:  # what they log becomes an error of ours
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self.client: Client = Client(
                settings.address, security=security, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise ResonanceError(
                f"No scheduler answers at {settings.address} ({describe(error)}); `dask scheduler` starts one."
            ) from error

    def workers(self) -> dict[str, int]:
        """Return the number of threads of each worker by its address; raises ResonanceError without a scheduler."""
        self.verify()
        try:
            return dict(self.client.nthreads())
        except (OSError, TimeoutError, CancelledError) as error:
            raise self.lost_error() from error

    def verify(self) -> None:
        """Raise ResonanceError where the scheduler has gone away."""
        if self.client.status != "running":
            raise self.lost_error()

    def lost_error(self) -> ResonanceError:
        return ResonanceError(
            f"The scheduler at {self.settings.address} went away; what was analysed is kept, run it again to go on."
        )

    def release(self, session: str) -> None:
        """Let all workers end what they do for a session; waits only a moment for those that do not answer."""
        if self.client.status == "running":
            self.briefly(lambda: self.client.run(release, session, wait=False, on_error="ignore"))

    def close(self) -> None:
        self.briefly(lambda: self.client.close(CLOSE_SECONDS))

    def briefly(self, call: Any) -> None:
        """Call without end, be it that nobody answers, and drop what goes wrong with it."""

        def run() -> None:
            with suppress(Exception):
                call()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(CLOSE_SECONDS)


class RequestQueue:
    """Sends requests to workers, and gets their answers in the order in which they come."""

    def __init__(self, connection: SchedulerConnection) -> None:
        self.connection = connection
        self.client = connection.client
        self.answers: SimpleQueue[Answer] = SimpleQueue()
        self.fetchers = ThreadPoolExecutor(FETCHERS)

    def submit(self, address: str, header: dict[str, Any], content: bytes, tag: object) -> TaskFuture:
        """Send a request to one worker and no other; the answer, or an exception, comes with `tag`.

        Raises ResonanceError where the scheduler has gone away.
        """
        request = encode(Message(header))
        try:
            future = self.client.submit(
                handle, request, content, workers=[address], allow_other_workers=False, pure=False
            )
            future.add_done_callback(lambda done: self.collect(done, tag))
        except Exception as error:  # of no kind in particular, where the client closed itself this moment
            if self.client.status == "running":
                raise
            raise self.connection.lost_error() from error
        return future

    def collect(self, future: TaskFuture, tag: object) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self.fetchers.submit(self.fetch, future, tag)

    def fetch(self, future: TaskFuture, tag: object) -> None:
        try:
            self.answers.put((tag, decode(future.result(ANSWER_SECONDS))))
        except BaseException as error:  # of whatever kind, the receiver decides
            self.answers.put((tag, error))

    def put_result(self, done: Future[Message], tag: object) -> None:
        """Add the answer of work on this machine."""
        error = done.exception() if not done.cancelled() else CancelledError()
        self.answers.put((tag, error or done.result()))

    def receive(self, seconds: float) -> list[Answer]:
        """Return the answers that are there, or the first that comes within `seconds`; empty for none."""
        answers: list[Answer] = []
        with suppress(Empty):
            answers.append(self.answers.get(timeout=seconds))
            while True:
                answers.append(self.answers.get_nowait())
        return answers

    def close(self) -> None:
        self.fetchers.shutdown(wait=False, cancel_futures=True)


def describe(error: BaseException) -> str:
    """Return the text of an error on one line, or its kind where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
