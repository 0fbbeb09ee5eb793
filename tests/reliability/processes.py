"""Real `beet` processes in groups of their own, ended the hard way, and who is left of them."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.paths import ROOT

if TYPE_CHECKING:
    from tests.e2e.home import Home

MARK = "RESONANCE_FAULT_TRIAL"
PROCESSES = Path("/proc")
OUTPUT = "output.txt"


def environment(home: Home, **more: str) -> dict[str, str]:
    """What a `beet` of this home finds around it; all its children inherit which home it is."""
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return {**plain, "BEETSDIR": str(home.path), "PYTHONPATH": str(ROOT), MARK: str(home.path), **more}


def begun(home: Home, *arguments: str, typed: str = "") -> subprocess.Popen[bytes]:
    """A `beet` in a process group of its own; what it prints goes to a file in its home.

    Where something is `typed`, it is on a terminal, which has that waiting for it.
    """
    terminal, descriptor = pty.openpty() if typed else (-1, subprocess.DEVNULL)
    with (home.path / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "beets", *arguments],
            stdin=descriptor,
            stdout=descriptor if typed else output,
            stderr=output,
            env=environment(home),
            cwd=home.path,
            start_new_session=True,
        )
    if typed:
        os.close(descriptor)
        os.write(terminal, typed.encode())
        # Or the `beet` would wait for somebody to read what it prints.
        threading.Thread(target=read_terminal, args=(terminal, home.path / OUTPUT), daemon=True).start()
    return process


def read_terminal(descriptor: int, path: Path) -> None:
    """Append what comes from a terminal to a file, until nobody writes to it any more, and close it."""
    # A terminal without a writer is an error, and the home of a trial is deleted at its end.
    with suppress(OSError):
        while part := os.read(descriptor, 2**12):
            with path.open("ab") as output:
                output.write(part)
    os.close(descriptor)


def await_change(home: Home, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a file of the home comes, goes or is written to, until the process ends or the time is over.

    Of a shared sidecar, until something is committed.
    """
    with home.store() if home.address else nullcontext() as store:

        def now() -> object:
            return state(home), store and store.database.revision

        before, deadline = now(), time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline and now() == before:
            time.sleep(0.001)


def state(home: Home) -> set[tuple[str, int, int]]:
    result = set()
    with os.scandir(home.path) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                result.add((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns))
    return result


def family(home: Home) -> list[int]:
    """Every living process that a `beet` of this home is, or has started."""
    wanted = f"{MARK}={home.path}\0".encode()
    result = []
    for folder in PROCESSES.glob("[0-9]*"):
        try:
            # A process that has ended and was not waited for has no environment any more.
            if wanted in (folder / "environ").read_bytes() + b"\0":
                result.append(int(folder.name))
        except OSError:
            continue
    return result


def kill(process: subprocess.Popen[bytes], whole: bool) -> None:
    """End a `beet` with SIGKILL: the whole group, as a terminal or an out-of-memory killer may, or the parent alone."""
    if whole:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def survivors(home: Home, seconds: float) -> list[int]:
    """Who is still there so many seconds after the parent's end; they are ended now."""
    deadline = time.monotonic() + seconds
    while (left := family(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return left
