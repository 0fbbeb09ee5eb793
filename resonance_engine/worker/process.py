"""Child processes that answer messages about files, and may die or hang without harm to the parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from resonance_engine.errors import AudioError, KilledWorkerError, ResonanceError
from resonance_engine.worker.protocol import Message, receive, send

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT = 120.0  # seconds for one file; a song takes about half a second
STARTUP_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0
LIFE = 1_000  # requests, two for a new file, after which a child is replaced: leaks of decoders must not add up
EXIT_SECONDS = 1.0  # from closed streams to an exit status
KILL_SECONDS = 5.0  # a process that reads from a dead network disk outlives even SIGKILL, and is left behind
POLL_SECONDS = 60.0
CHUNK = 1 << 20  # bytes read at once: a child that may have been taken over does not decide how much is allocated

_processes: WeakSet[FileProcess] = WeakSet()  # all of this process, to end them with it


class WorkerDied(Exception):  # noqa: N818 - an event, which the owner of the child turns into an error
    """The child ended before it answered; `str()` is a clause on how, such as "crashed the decoder (SIGSEGV)".

    `is_killed` says that it was SIGKILL that ended it, which no file provokes by itself.
    """

    def __init__(self, clause: str, is_killed: bool = False) -> None:
        super().__init__(clause)
        self.is_killed = is_killed


class WorkerProcess:
    """A running process that exchanges `Message`s on its standard streams. One thread uses it, any may kill it.

    `sent` counts the messages to it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # Ctrl-C reaches all processes of a terminal. The child ignores it, and until it runs so far, it inherits this.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = subprocess.Popen(  # noqa: S603 - the caller's own command
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        assert self.process.stdout is not None
        self.answers = TimedPipe(self.process.stdout.fileno())
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
        self.answers.until = time.monotonic() + seconds
        try:
            return receive(self.answers)
        except EOFError as error:
            raise self.exit_error() from error
        except ValueError as error:
            self.end()
            raise WorkerDied("made the decoder say what is no answer") from error

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
        return WorkerDied(exit_clause(code), code == -signal.SIGKILL)


class TimedPipe:
    """A pipe whose reads raise TimeoutError after `until`, a time of `time.monotonic`."""

    def __init__(self, descriptor: int, until: float = 0.0) -> None:
        self.descriptor = descriptor
        self.until = until
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


class FileProcess:
    """A child process that handles one request about one file at a time; started when needed, replaced when it dies.

    A subclass gives the `command`. Raises `start_error` when the child does not start, `unusable_error` when it says
    that it cannot serve, AudioError for anything that goes wrong with a file, also when a request takes longer than
    `timeout` seconds, and ResonanceError once it is closed. `busy` are the seconds that children spent on requests.
    """

    start_error: type[ResonanceError] = ResonanceError
    unusable_error: type[ResonanceError] = ResonanceError

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.child: WorkerProcess | None = None
        self.closed = False
        self.busy = 0.0
        self.request_lock = threading.Lock()  # one request at a time
        self.start_lock = threading.Lock()  # no child starts once `closed`
        _processes.add(self)

    @property
    def purpose(self) -> str:
        """The end of "a process that ...", for errors."""
        return "analyses files"

    def command(self) -> list[str]:
        """Return the command line of the child."""
        raise NotImplementedError

    def accept_description(self, header: dict[str, Any]) -> None:
        """Note the header of the message with which a new child begins."""

    def identify(self, path: Path) -> bytes:
        """Return the content key of a file."""
        return bytes.fromhex(self.request("identify", path).header["key"])

    def request(self, verb: str, path: Path, spent: float = 0.0, **options: Any) -> Message:
        """Return the child's answer about a file; `options` are JSON values that the verb takes.

        `spent` seconds of the file's time are used already; the start of a child takes none of it.
        """
        message = Message({"verb": verb, "path": os.fsencode(path).hex(), "options": options})
        with self.request_lock:
            try:
                answer = self.exchange(message, self.timeout - spent)
            except WorkerDied as died:
                self.end_child()
                if self.closed:
                    raise stopped_error() from died
                kind = KilledWorkerError if died.is_killed else AudioError
                raise kind(path, f"decoding it {died}") from died
            except TimeoutError as error:
                self.end_child()
                raise AudioError(path, f"it took longer than {self.timeout:g} s and was given up") from error
            except BaseException:
                self.end_child()
                raise
            if answer.header.get("spent"):
                self.end_child()
        if "reason" in answer.header:
            raise AudioError(path, answer.header["reason"])
        return answer

    def exchange(self, message: Message, seconds: float) -> Message:
        """Return the answer within `seconds`; a child that dies before it begins did not die of the request."""
        for first in (True, False):
            child = self.start_child()
            started, begun = time.monotonic(), False
            try:
                child.send(message)
                child.receive(seconds)
                begun = True
                return child.receive(seconds - (time.monotonic() - started))
            except WorkerDied:
                if begun or not first:
                    raise
                self.end_child()
            finally:
                seconds -= time.monotonic() - started
                self.busy += time.monotonic() - started
        raise AssertionError("the second child answers or raises")

    def start_child(self) -> WorkerProcess:
        """Return the running child, a new one where there is none or the last has served its time."""
        if self.child is not None and self.child.sent < LIFE:
            return self.child
        self.end_child()
        with self.start_lock:
            if self.closed:
                raise stopped_error()
            try:
                child = self.child = WorkerProcess(self.command(), environment())
            except OSError as error:
                raise self.start_error(f"A process that {self.purpose} does not start: {error.strerror}.") from error
        try:
            header = child.receive(STARTUP_TIMEOUT).header
            if "unusable" in header:
                raise self.unusable_error(header["unusable"])
            self.accept_description(header)
        except (WorkerDied, TimeoutError) as error:
            self.end_child()
            if self.closed:
                raise stopped_error() from error
            how = f"starting it {error}" if isinstance(error, WorkerDied) else f"not within {STARTUP_TIMEOUT:g} s"
            raise self.start_error(f"The process that {self.purpose} does not start: {how}.") from error
        except BaseException:
            self.end_child()
            raise
        return child

    def end_child(self) -> None:
        """End the child, if there is one; the next request starts another."""
        if self.child is not None:
            self.child.end()
            self.child = None

    def kill(self) -> None:
        """Kill the child for good, and wait for nothing; a thread that waits for its answer gets WorkerDied."""
        with self.start_lock:
            self.closed = True
            child = self.child
        if child is not None:
            child.process.kill()

    def close(self) -> None:
        """End the child for good, also while another thread waits for its answer."""
        self.kill()
        if self.request_lock.acquire(timeout=CLOSE_TIMEOUT):
            try:
                self.end_child()
            finally:
                self.request_lock.release()


def kill_file_processes() -> None:
    """Kill the children of all file processes for good, so that no thread waits for a file; wait for nothing."""
    for process in list(_processes):
        process.kill()


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


def environment() -> dict[str, str]:
    """Return this program's environment, in which a child finds this package and computes on one core."""
    search_path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, "PYTHONPATH": search_path, **one_core}


def stopped_error() -> ResonanceError:
    return ResonanceError("The analysis was stopped before it was done.")
