"""A browser with the page of the server open, used as people do: by mouse, finger and keys."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from tests.chromium import Chromium

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ("--mute-audio", "--enable-unsafe-swiftshader")
PATIENCE = 100.0  # seconds; the machine may have other work
KEYS = {"ArrowDown": 40, "ArrowUp": 38, "Enter": 13, "Escape": 27, "Delete": 46, "Tab": 9, " ": 32, "+": 187}
ALT, MOUSE_STEPS = 1, 6


class PageBrowser(Chromium):
    """A browser for the page at `address`."""

    def __init__(self, profile: Path, address: str) -> None:
        super().__init__(profile, *OPTIONS)
        self.address = address

    def start(self, fragment: str = "", width: int = 1280, height: int = 800, theme: str = "light") -> None:
        """Open the page anew, without what it kept before."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Storage.clearDataForOrigin", origin=self.address, storageTypes="local_storage,cookies")
        self.open(f"{self.address}/", fragment)
        self.wait("document.documentElement.dataset.ready === 'yes'")
        self.wait("document.querySelectorAll('#tracks li, #notes li').length > 0")
        self.settle()

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}; {self.run('document.body.innerText')[:2000]}"
            time.sleep(0.05)

    def settle(self) -> None:
        """Wait until the list is there and nothing moves."""
        self.wait("!document.getElementById('results').hasAttribute('aria-busy')")
        self.run(
            "Promise.all(document.getAnimations().filter(one => one.effect.getTiming().iterations === 1)"
            ".map(one => one.finished.catch(() => {})))"
        )

    def text(self, selector: str) -> str:
        """The text of the first element that a selector matches, which is waited for."""
        self.wait(f"document.querySelector({json.dumps(selector)})")
        return str(self.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that a selector matches."""
        found = self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent)")
        return [str(text) for text in found]

    def count(self, selector: str) -> int:
        return int(self.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def middle(self, selector: str) -> tuple[float, float]:
        """The middle of the first element that a selector matches, which is waited for and scrolled to."""
        quoted = json.dumps(selector)
        self.wait(f"document.querySelector({quoted})")
        self.run(f"document.querySelector({quoted}).scrollIntoView({{block: 'nearest'}})")
        x, y = self.run(
            f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])"
            f"(document.querySelector({quoted}).getBoundingClientRect())"
        )
        return float(x), float(y)

    def click(self, selector: str) -> None:
        self.click_at(*self.middle(selector))

    def click_at(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def drag(self, selector: str, x: float, y: float) -> None:
        """Drag the first element that a selector matches to a place."""
        from_x, from_y = self.middle(selector)
        self.mouse("mouseMoved", from_x, from_y)
        self.mouse("mousePressed", from_x, from_y)
        for step in range(1, MOUSE_STEPS + 1):
            share = step / MOUSE_STEPS
            self.mouse("mouseMoved", from_x + share * (x - from_x), from_y + share * (y - from_y))
        self.mouse("mouseReleased", x, y)

    def focus(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")

    def press(self, key: str, modifiers: int = 0) -> None:
        code = {"windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper()))}
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers, **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers, **code)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def fetched(self, path: str) -> list[str]:
        """The addresses below a path that were requested since the page was opened."""
        self.run("1")  # takes in what happened
        requests = [event["request"] for event in self.happened("Network.requestWillBeSent")]
        prefix = f"{self.address}{path}"
        return [request["url"].removeprefix(prefix) for request in requests if request["url"].startswith(prefix)]

    def take_picture(self, path: Path) -> None:
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def mistakes(self) -> list[Any]:
        """Errors of scripts and violations of the policy since the page was opened; missing covers are none."""
        self.run("1")
        thrown = self.happened("Runtime.exceptionThrown")
        entries = [event["entry"] for event in self.happened("Log.entryAdded")]
        return thrown + [entry for entry in entries if entry["source"] in ("security", "violation", "javascript")]
