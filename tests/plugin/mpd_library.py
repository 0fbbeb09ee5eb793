"""A library on a circle whose files a real MPD plays, and what a radio does with them, a step at a time."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from beets import config

from beetsplug.resonance.library.sidecar import Sidecar
from tests.audio_files import write_audio
from tests.mpd_server import PATIENCE, MpdServer, mpd_server
from tests.plugin.circle_library import CircleLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beets.library import Item

    from beetsplug.resonance.players.radio import Radio

RATE = 8000
SECONDS = 120.0  # of a file, of which nothing is played to its end by chance


class MpdLibrary(CircleLibrary):
    """An empty library, which `serve` lets an MPD play: tracks are two quiet minutes."""

    @pytest.fixture(autouse=True)
    def _no_other_mpd(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("MPD_HOST", "MPD_PORT", "XDG_RUNTIME_DIR"):
            monkeypatch.delenv(name, raising=False)

    def write_files(self) -> None:
        """Write the files of all items; MPD plays them, and what they sound like is said by the store."""
        quiet = self.lib_path.with_name("quiet.flac")
        write_audio(quiet, np.zeros((1, round(SECONDS * RATE)), np.float32), RATE, kind="flac")
        for item in self.lib.items():
            item.filepath.parent.mkdir(parents=True, exist_ok=True)
            item.filepath.write_bytes(quiet.read_bytes())

    @contextmanager
    def serve(self, password: str = "", music: Path | None = None, **settings: Any) -> Iterator[MpdServer]:
        """Run an MPD for the library, or a folder, and point beets to it, at its socket unless told otherwise."""
        self.write_files()
        self.analyse()
        with mpd_server(music or Path(os.fsdecode(self.lib_path)), password) as server:
            config["mpd"].set({"host": str(server.socket), "password": password, **settings})
            yield server

    @contextmanager
    def radio(self, *query: str, **options: Any) -> Iterator[RadioSteps]:
        """A radio that is connected, and does nothing by itself."""
        from beetsplug.resonance.players.mpd_queue import MpdQueue
        from beetsplug.resonance.players.mpd_settings import read_mpd_settings
        from beetsplug.resonance.players.radio import Radio
        from beetsplug.resonance.playlist.radio import RadioSession

        lines: list[str] = []
        log = Warnings()
        sidecar = Sidecar(self.lib)
        queue = MpdQueue(read_mpd_settings(), self.lib)
        queue.connect()
        session = RadioSession({"seed": 1, **({"query": query} if query else {}), **options})
        try:
            show = lambda event, item: lines.append(f"{event} {item.title}")  # noqa: E731 - two words
            yield RadioSteps(Radio(queue, sidecar, session, show, log), lines, log.lines)  # type: ignore[arg-type] # warns
        finally:
            queue.close()
            sidecar.close()

    def item(self, title: str) -> Item:
        item = self.lib.items(f"title::^{title}$").get()
        assert item is not None
        return item


class Warnings:
    """Stands for beets' log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, form: str, *arguments: object) -> None:
        self.lines.append(form.format(*arguments))


class RadioSteps:
    """A radio with the lines that it has shown and the warnings that it has logged."""

    def __init__(self, radio: Radio, lines: list[str], warnings: list[str]) -> None:
        self.radio, self.lines, self.warnings = radio, lines, warnings

    def follow(self) -> None:
        self.radio.follow()

    def queued(self) -> list[str]:
        """The titles that the radio has queued, in order."""
        return [line.removeprefix("queued ") for line in self.lines if line.startswith("queued ")]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until MPD, which does things on its own time, has done one."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
