"""A child process that answers messages, and may die or hang without harm to the program that asks."""

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

EXIT_SECONDS = 1.0  # that a process which closed its streams gets to say how it ended
KILL_SECONDS = 5.0  # one that reads from a dead network disk outlives even SIGKILL, and is left behind
POLL_SECONDS = 60.0
PART = 1 << 20  # bytes read at once: no memory is asked for on the word of a child that may have been taken over


class WorkerDied(Exception):  # noqa: N818 - an event, which the owner of the child turns into an error
    """The child ended before it answered; `str()` says how, as the rest of a sentence about what it did."""


class WorkerProcess:
    """A running process that speaks `wire` on its standard streams. One thread talks to it, any may kill it.

    `asked` is how many messages it was sent.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - the caller's own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.asked = 0

    def send(self, message: Message) -> None:
        """Hand a message over; raises ChildDied when there is nobody to take it."""
        assert self.process.stdin is not None
        self.asked += 1
        try:
            send(self.process.stdin, message)
        except OSError as error:
            raise self.death() from error

    def receive(self, seconds: float) -> Message:
        """The next message; raises ChildDied, or TimeoutError when it is not complete after so many seconds.

        After either, and after an interrupt, the child is of no use: an answer may be read by half.
        """
        assert self.process.stdout is not None
        try:
            return receive(TimedPipe(self.process.stdout.fileno(), seconds))
        except EOFError as error:
            raise self.death() from error
        except ValueError as error:
            self.end()
            raise WorkerDied("made the decoder say what is no answer") from error

    def kill(self) -> None:
        """Stop the process; the thread that waits for its answer learns that it died."""
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

    def death(self) -> WorkerDied:
        """How a process ended that closed its streams."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(EXIT_SECONDS)
        code = self.process.returncode
        self.end()
        return WorkerDied(exit_clause(code))


class TimedPipe:
    """Reads a pipe until `seconds` have passed; raises TimeoutError then."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.descriptor = descriptor
        self.until = time.monotonic() + seconds
        # Not `select.select`, which fails in a program with more than a thousand open files.
        self.poll = select.poll()
        self.poll.register(descriptor, select.POLLIN)

    def read(self, count: int) -> bytes:
        """That many bytes, or fewer where the pipe ends."""
        content = bytearray()
        while len(content) < count:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if self.poll.poll(1000 * min(left, POLL_SECONDS)):
                part = os.read(self.descriptor, min(count - len(content), PART))
                if not part:
                    break
                content += part
        return bytes(content)


def exit_clause(code: int | None) -> str:
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
    # A library in C++ that gets no memory ends the process, often before anything else can be said.
    why = ", as happens where memory runs out" if -code == signal.SIGABRT else ""
    return f"crashed the decoder ({name}){why}"
