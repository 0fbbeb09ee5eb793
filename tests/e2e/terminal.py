"""A real `beet` on a pseudo-terminal, as a person has it in front of them, for tests that type."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.home import Home

CTRL_C, CTRL_D = b"\x03", b"\x04"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LIMIT = 120.0  # seconds until a program that shows nothing new is taken for one that hangs
RUN = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("beets", run_name="__main__", alter_sys=True)
"""


class Terminal:
    """The screen of a terminal on which a command runs; `output` is all that was written to it so far, uncoloured."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process, self.screen = process, screen
        self.output, self.seen = "", 0

    def read(self) -> bool:
        """Take what was written meanwhile; False once the command has ended."""
        ready, _, _ = select.select([self.screen], [], [], LIMIT)
        assert ready, f"nothing new after {self.output!r}"
        content = b""
        with suppress(OSError):  # how Linux tells that nobody has the other end any more
            content = os.read(self.screen, 65536)
        self.output = COLOUR.sub("", self.output + content.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(content)

    def read_until(self, pattern: str) -> str:
        """Return what is new up to the end of a match; AssertionError where it never comes."""
        deadline = time.monotonic() + LIMIT
        while not (match := re.search(pattern, self.output[self.seen :])):
            assert self.read(), f"{pattern!r} was never shown: {self.output!r}"
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.output!r}"
        start, self.seen = self.seen, self.seen + match.end()
        return self.output[start : self.seen]

    def type(self, line: str) -> None:
        self.press(f"{line}\n".encode())

    def press(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def wait_until_asleep(self) -> None:
        """Wait until the command waits for a key: Python misses a signal between the prompt and the read of it."""
        deadline, asleep = time.monotonic() + LIMIT, 0
        while asleep < 5:
            assert time.monotonic() < deadline, f"busy after {self.output!r}"
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if state == "S" else 0
            time.sleep(0.01)

    def finish(self) -> int:
        """Read to the end, and return the exit status."""
        deadline = time.monotonic() + LIMIT
        while self.read():
            assert time.monotonic() < deadline, f"it does not end: {self.output!r}"
        return self.process.wait(LIMIT)

    def children(self) -> list[int]:
        """Return the processes that the command has started, once each runs its own program, and that are there."""
        found = []
        with suppress(OSError):
            own = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                    is_started = (folder / "cmdline").read_bytes() != own
                    found += [int(folder.name)] if parent == self.process.pid and is_started else []
        return found


@contextmanager
def terminal(home: Home, *arguments: str) -> Iterator[Terminal]:
    """Run `beet` on a terminal that it controls, so that Ctrl-C reaches it."""
    screen, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "BEETSDIR": str(home.path), "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        cwd=home.path,
        start_new_session=True,
    )
    os.close(side)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)
