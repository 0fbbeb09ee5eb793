"""Further processes of a server, which take connections from its socket, so that it uses several cores.

Each is started by the command line of the first, and has the socket's descriptor and the first's id in its environment.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

INHERITANCE = "RESONANCE_SERVER_PROCESS"
END_SECONDS = 10.0  # from SIGTERM on; a server takes five at most


class Inheritance(NamedTuple):
    """What a further process was started with: the socket, and the id of the first process, which it ends with."""

    socket: socket.socket
    parent: int


def read_inheritance() -> Inheritance | None:
    """Return what this process was started with as a further one; None in the first one."""
    descriptor, _, parent = os.environ.get(INHERITANCE, "").partition(",")
    if not descriptor.isdecimal() or not parent.isdecimal():
        return None
    return Inheritance(socket.socket(fileno=int(descriptor)), int(parent))


@contextmanager
def further_processes(bound: socket.socket, count: int) -> Iterator[None]:
    """Run `count` further processes on a socket until the end of the `with`; ConfigError where one does not start."""
    command, descriptor = [sys.executable, *sys.orig_argv[1:]], bound.fileno()
    environment = {**os.environ, INHERITANCE: f"{descriptor},{os.getpid()}"}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            processes.append(start_process(command, environment, descriptor))
        yield
    finally:
        end_processes(processes)


def start_process(command: list[str], environment: dict[str, str], descriptor: int) -> subprocess.Popen[bytes]:
    """Start a further process, which inherits a socket's descriptor, and prints nothing but warnings."""
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603 - the command that this process was started by
            command, env=environment, pass_fds=[descriptor], stdin=nothing, stdout=nothing
        )
    except OSError as error:
        raise ConfigError(f"A further process of the server does not start: {error.strerror}.") from error


def end_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    """Let processes end, and kill those that do not."""
    for process in processes:
        process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            continue
        process.kill()
        process.wait()
