"""A child process that answers messages, and may die or hang without harm to the parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from resonance_engine.worker.protocol import Message, receive, send

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXIT_SECONDS = 1.0  # from closed streams to an exit status
KILL_SECONDS = 5.0  # a process that reads from a dead network disk outlives even SIGKILL, and is left behind
POLL_SECONDS = 60.0
CHUNK = 1 << 20  # bytes read at once: a child that may have been taken over does not decide how much is allocated


class WorkerDied(Exception):  # noqa: N818 - an event, which the owner of the child turns into an error
    """The child ended before it answered; `str()` is a clause on how, such as "crashed the decoder (SIGSEGV)"."""


class WorkerProcess:
    """A running process that exchanges `Message`s on its standard streams. One thread uses it, any may kill it.

    `sent` counts the messages to it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - the caller's own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.sent = 0

    def send(self, message: Message) -> None:
        """Write a message; raises WorkerDied when the process has closed its input."""
        assert self.process.stdin is not None
        self.sent += 1
        try:
            send(self.process.stdin, message)
        except OSError as error:
            raise self.exit_error() from error

    def receive(self, seconds: float) -> Message:
        """Return the next message; raises WorkerDied, or TimeoutError when it is not complete after `seconds`.

        After either, and after an interrupt, the child is unusable: an answer may be half read.
        """
        assert self.process.stdout is not None
        try:
            return receive(TimedPipe(self.process.stdout.fileno(), seconds))
        except EOFError as error:
            raise self.exit_error() from error
        except ValueError as error:
            self.end()
            raise WorkerDied("made the decoder say what is no answer") from error

    def kill(self) -> None:
        """Stop the process; a thread that waits for its answer gets WorkerDied."""
        self.process.kill()

    def end(self) -> None:
        """Stop the process and release it."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(KILL_SECONDS)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def exit_error(self) -> WorkerDied:
        """Release a process that closed its streams, and return the error that describes its end."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(EXIT_SECONDS)
        code = self.process.returncode
        self.end()
        return WorkerDied(exit_clause(code))


class TimedPipe:
    """A pipe whose reads raise TimeoutError once `seconds` have passed since it was made."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.descriptor = descriptor
        self.until = time.monotonic() + seconds
        # Not `select.select`, which fails in a program with more than a thousand open files.
        self.poll = select.poll()
        self.poll.register(descriptor, select.POLLIN)

    def read(self, count: int) -> bytes:
        """Read `count` bytes, or fewer where the pipe ends."""
        content = bytearray()
        while len(content) < count:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if self.poll.poll(1000 * min(left, POLL_SECONDS)):
                chunk = os.read(self.descriptor, min(count - len(content), CHUNK))
                if not chunk:
                    break
                content += chunk
        return bytes(content)


def exit_clause(code: int | None) -> str:
    """Return the clause of an error message for the exit status of a decoder process, None while it still runs."""
    if code is None:
        return "left the decoder without an answer"
    if code >= 0:
        return f"ended the decoder with exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"got the decoder killed ({name}), as happens where memory runs out"
    # A C++ library that gets no memory aborts the process, often before any error message.
    why = ", as happens where memory runs out" if -code == signal.SIGABRT else ""
    return f"crashed the decoder ({name}){why}"
