"""What comes out of a pipe, such as a shell's <(command), as a file that another process can open and seek in."""

from __future__ import annotations

import os
import select
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 4 * 2**30  # bytes: five hours of 24-bit samples at 96 kHz
BLOCK = 2**20
PATIENCE = 120.0  # seconds without a byte
POLL_SECONDS = 0.05
DESCRIPTORS = ("/dev", "/proc")  # where open files have paths that other processes do not know


@contextmanager
def seekable_file(path: Path, patience: float = PATIENCE) -> Iterator[Path]:
    """Yield the path of a file that can be opened anew and read from anywhere, while the `with` lasts.

    It is the file itself, or a copy of what comes out of a pipe. Raises AudioError for a pipe out of which come more
    than LARGEST bytes, or none in `patience` seconds, or that cannot be read; a file that is not there is left to who
    opens it.
    """
    try:
        is_pipe = stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        is_pipe = False
    if not is_pipe:
        file = path.absolute()
        yield file.resolve() if any(map(file.is_relative_to, DESCRIPTORS)) else file
        return
    with NamedTemporaryFile(prefix="resonance-") as copy:
        try:
            copy_pipe(path, copy, patience)
        except OSError as error:
            raise AudioError(path, f"the pipe cannot be copied: {error.strerror or error}") from error
        yield Path(copy.name)


def copy_pipe(path: Path, copy: IO[bytes], patience: float) -> None:
    """Write all that comes out of a pipe to a file; raises AudioError and OSError."""
    # To open one to which no program writes yet would wait for such a program, however long.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                block = os.read(descriptor, BLOCK)
            except BlockingIOError:
                wait_for_data(descriptor, patience)
                continue
            if block:
                deadline = time.monotonic() + patience
                copy.write(block)
                if copy.tell() > LARGEST:
                    raise AudioError(path, f"more than {LARGEST // 2**30} GB come out of the pipe; give a file")
            elif copy.tell():
                copy.flush()
                return
            elif not path.resolve().exists():  # without a name: no other program can begin to write to it
                raise AudioError(path, "nothing came out of the pipe")
            else:
                time.sleep(POLL_SECONDS)
    finally:
        os.close(descriptor)
    raise AudioError(path, f"nothing came out of the pipe in {patience:g} s")


def wait_for_data(descriptor: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(1000 * seconds)
