"""A real Chromium without a window, driven by its debugging protocol over two pipes."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

PROGRAM = which("chromium")
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Debian's package chromium")
SIZE = "1280,900"
FIRST_FREE = 10  # descriptors above those that the browser reads and writes


class Chromium:
    """A browser with one page; `run` evaluates JavaScript in it, `mouse` moves the pointer."""

    def __init__(self, profile: Path, *options: str) -> None:
        assert PROGRAM is not None
        requests, self._input = os.pipe()
        self._output, answers = os.pipe()
        given = [fcntl.fcntl(each, fcntl.F_DUPFD, FIRST_FREE) for each in (requests, answers)]

        def connect() -> None:
            os.dup2(given[0], 3)
            os.dup2(given[1], 4)

        self._process = subprocess.Popen(
            [
                PROGRAM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--window-size={SIZE}",
                f"--user-data-dir={profile}",
                "--remote-debugging-pipe",
                *options,
                "about:blank",
            ],
            preexec_fn=connect,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for each in (requests, answers, *given):
            os.close(each)
        self._number, self._buffer = 0, b""
        self.events: list[dict[str, Any]] = []
        self._session = ""
        targets = self.call("Target.getTargets")["targetInfos"]
        (page,) = [target["targetId"] for target in targets if target["type"] == "page"][:1]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._input)
        os.close(self._output)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method of the protocol; events before it are kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(self._input, json.dumps({**message, **self._target()}).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _target(self) -> dict[str, str]:
        return {"sessionId": self._session} if self._session else {}

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._output, 2**20)
            assert part, "the browser ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, page: Path | str, fragment: str = "") -> None:
        """Load a page, a file or an address, and wait until its script is done, or has failed."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=f"{page if isinstance(page, str) else page.as_uri()}{fragment}")
        self.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Press, move or release the left button: kind is mousePressed, mouseMoved or mouseReleased."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1, **more)

    def happened(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the events of a name since the page was opened."""
        return [event["params"] for event in self.events if event["method"] == method]
