"""The connection to a Dask scheduler: what answers there, its workers, and the end of what they do."""

from __future__ import annotations

import asyncio
import logging
import warnings
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from resonance_engine.cluster.call import describe, start_call
from resonance_engine.cluster.certificates import make_security
from resonance_engine.cluster.code_fingerprint import fingerprint_code
from resonance_engine.cluster.handshake import silent_error, verify_endpoint
from resonance_engine.cluster.remote import release
from resonance_engine.cluster.settings import verify_settings
from resonance_engine.errors import CLUSTER_EXTRA, ClusterError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from distributed import Client
    from distributed.security import Security

    from resonance_engine.cluster.settings import ClusterSettings

CONNECT_SECONDS = 10.0
OPEN_SECONDS = 30.0  # for what has begun to answer: a scheduler may have to load this package first
CLOSE_SECONDS = 5.0
LOGGERS = ("distributed.client", "distributed.core", "distributed.batched", "distributed.comm.tcp")


class SchedulerConnection:
    """A client of a scheduler, for the pools of one command; `close` it.

    `is_silent` once the scheduler was given up. Raises ConfigError where the settings do not do or the extra is
    missing, ClusterError where no scheduler answers, or one that cannot be used.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        verify_settings(settings)
        try:
            from distributed.versions import VersionMismatchWarning
        except ImportError as error:
            raise ConfigError(f"--scheduler needs Dask: {CLUSTER_EXTRA}.") from error
        self.settings = settings
        self.is_silent = False
        security = make_security(settings)
        for name in LOGGERS:  # what they log becomes an error of ours
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # Of all packages of the whole cluster; those that matter are compared worker by worker.
        warnings.filterwarnings("ignore", category=VersionMismatchWarning)
        verify_endpoint(settings, security, CONNECT_SECONDS)
        connecting = start_call(lambda: open_client(settings.address, security))
        wait([connecting], OPEN_SECONDS)
        if not connecting.done():
            raise silent_error(settings.address, OPEN_SECONDS)
        self.client = connecting.result()

    def workers(self) -> dict[str, int]:
        """Return the number of threads of each worker by its address; raises ClusterError without a scheduler."""
        request = self.request_workers()
        wait([request], OPEN_SECONDS)
        if not request.done():
            raise silent_error(self.settings.address, OPEN_SECONDS)
        return request.result()

    def request_workers(self) -> Future[dict[str, int]]:
        """Request what `workers` returns; it and the result raise ClusterError where the scheduler has gone away."""

        def read() -> dict[str, int]:
            try:
                return dict(self.client.nthreads())
            except Exception as error:  # of no kind in particular, where the client closed itself meanwhile
                raise self.lost_error() from error

        self.verify()
        return start_call(read)

    def fingerprint(self, address: str) -> str:
        """Return the fingerprint of a worker's code, whatever it is doing; raises what goes wrong there."""
        return str(self.client.run(fingerprint_code, workers=[address])[address])

    def verify(self) -> None:
        """Raise ClusterError where the scheduler has gone away."""
        if self.client.status != "running":
            raise self.lost_error()

    def lost_error(self) -> ClusterError:
        return ClusterError(f"The scheduler at {self.settings.address} went away.")

    def release(self, session: str, workers: Iterable[str]) -> None:
        """Let workers end what they do for a session; waits only a moment for those that do not answer."""
        addresses = list(workers)
        if addresses and self.client.status == "running" and not self.is_silent:
            self.briefly(
                lambda: self.client.run(release, session, workers=addresses, wait=False, on_error="ignore"),
            )

    def close(self) -> None:
        self.briefly(lambda: self.client.close(CLOSE_SECONDS))

    def briefly(self, call: Callable[[], Any]) -> None:
        """Call without end, be it that nobody answers, and drop what goes wrong with it."""
        wait([start_call(call)], CLOSE_SECONDS)


def open_client(address: str, security: Security | None) -> Client:
    """Return a client of a scheduler; raises ClusterError where it cannot be used."""
    from distributed import Client

    try:
        kind = asyncio.run(identify(address, security))  # a client that fails half way hangs when it is collected
        if kind != "Scheduler":
            raise ClusterError(f"What listens at {address} is a Dask {kind.lower()}, not a scheduler.")
        client = Client(address, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
    except ClusterError:
        raise
    except Exception as error:  # of no kind in particular, where something else listens
        # The length that a message of another protocol would have.
        reason = "its answer is none of Dask's" if isinstance(error, MemoryError) else describe(error)
        raise ClusterError(f"What listens at {address} cannot be used as a scheduler ({reason}).") from error
    try:
        client.run_on_scheduler(fingerprint_code)
    except Exception as error:
        if lacks_package(error):
            client.close(CLOSE_SECONDS)
            raise ClusterError(f"The scheduler at {address} lacks beets-resonance; install it there, too.") from error
    return client


async def identify(address: str, security: Security | None) -> str:
    """Return what a process of Dask is: Scheduler, Worker or Nanny; raises what goes wrong, of whatever kind."""
    from distributed.core import rpc

    arguments = security.get_connection_args("client") if security else {}
    async with rpc(address, timeout=CONNECT_SECONDS, connection_args=arguments) as process:
        return str((await process.identity())["type"])


def lacks_package(error: BaseException) -> bool:
    """Return whether an error of another process is that it lacks this package; Dask keeps its text alone."""
    return isinstance(error, ImportError) or "No module named 'resonance_engine" in str(error)
