"""A real `beet` on a pseudo-terminal, as a person has it before them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.home import Home

CTRL_C = b"\x03"
LIMIT = 100.0  # seconds in which a terminal shows something new
RUN = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("beets", run_name="__main__", alter_sys=True)
"""


class Terminal:
    """The screen of a terminal on which a command runs; `output` is all that was written to it so far."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process, self.screen, self.output = process, screen, ""

    def read(self) -> bool:
        """Take what was written meanwhile; False once the command has ended."""
        ready, _, _ = select.select([self.screen], [], [], LIMIT)
        assert ready, f"nothing new after {self.output!r}"
        try:
            content = os.read(self.screen, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            content = b""
        self.output += content.decode("utf-8", "replace")
        return bool(content)

    def wait_for(self, text: str) -> None:
        while text not in self.output:
            assert self.read(), f"{text!r} was never shown: {self.output!r}"

    def type(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def wait(self) -> int:
        """Return the exit status."""
        while self.read():
            pass
        return self.process.wait(LIMIT)

    def children(self) -> list[int]:
        """Return the processes that the command has started and that are still there."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                found += [int(folder.name)] if parent == self.process.pid else []
        return found


@contextmanager
def terminal(home: Home, *arguments: str) -> Iterator[Terminal]:
    """Run `beet` on a terminal that it controls, so that Ctrl-C reaches it."""
    screen, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
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
