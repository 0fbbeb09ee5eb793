"""A pseudo-terminal with a program on it, for tests that type: what it prints is read up to its next question."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE = 120.0  # seconds until a program that prints nothing is taken for one that hangs


class Terminal:
    """A program whose standard streams are a terminal."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.screen, program = pty.openpty()
        self.process = subprocess.Popen(
            words, stdin=program, stdout=program, stderr=program, env={**environment, "TERM": "dumb"}, close_fds=True
        )
        os.close(program)
        self.text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.screen)

    def read_until(self, pattern: str) -> str:
        """Return what is printed up to the end of a match, without colours; AssertionError where it never comes."""
        deadline = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            assert self.read(deadline), f"the program ended without {pattern!r}: {self.text!r}"
        seen, self.text = self.text[: match.end()], self.text[match.end() :]
        return seen

    def read(self, deadline: float) -> bool:
        """Read what there is; False at the end of the program."""
        ready, _, _ = select.select([self.screen], [], [], max(0.0, deadline - time.monotonic()))
        data = b""
        with suppress(OSError):  # how Linux tells that nobody has the other end any more
            data = os.read(self.screen, 65536) if ready else b" "
        self.text += COLOUR.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(data)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self.screen, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        """Press a key, such as b"\\x04", the end of the input, or b"\\x03", an interrupt."""
        os.write(self.screen, key)

    def finish(self) -> tuple[int, str]:
        """Return the exit status, and what was printed since the last question."""
        deadline = time.monotonic() + PATIENCE
        while self.read(deadline):
            assert time.monotonic() < deadline, f"it does not end: {self.text!r}"
        return self.process.wait(PATIENCE), self.text
