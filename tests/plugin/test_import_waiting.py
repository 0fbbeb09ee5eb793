"""How long an import waits for the analysis: until it is interrupted, or has waited enough at a terminal."""

from __future__ import annotations

import io
import os
import re
import signal
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from beets import context
from beets.logging import getLogger

from beetsplug.resonance.library.importer import Importer, is_awaited
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.console import StatusLine
from resonance_engine.errors import ResonanceError
from tests.plugin.fake_runtime import FakePool
from tests.plugin.test_importer import Imports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from beets.test._common import DummyIO

    from resonance_engine.worker.worker import ModelDescription


class StuckPool(FakePool):
    """A pool that analyses one file and then hangs, or whose model never loads, until it is closed."""

    loads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.closed, self.stuck = threading.Event(), threading.Event()

    def hang(self) -> None:
        self.stuck.set()
        # In turns: Python handles an interrupt between two instructions of the main thread.
        assert any(self.closed.wait(0.05) for _ in range(1200)), "nobody ended the analysis"
        raise ResonanceError("The analysis was stopped before it was done.")

    def description(self) -> ModelDescription:
        if not self.loads:
            self.hang()
        return super().description()

    def analyse(self, paths: Any, *arguments: Any) -> Iterator[Any]:
        yield from super().analyse(list(paths)[:1], *arguments)
        self.hang()

    def close(self) -> None:
        self.closed.set()
        super().close()


class UnloadablePool(StuckPool):
    loads = False


class StuckImports(Imports):
    """An import at a terminal whose analysis hangs."""

    pools: list[StuckPool]

    @pytest.fixture(params=[StuckPool, UnloadablePool], ids=["analysing", "loading"], autouse=True)
    def _stuck(self, setup: None, request: pytest.FixtureRequest) -> None:  # noqa: ARG002 - after beets is set up
        self.pools = []

        def open_pool(model: Path, count: int, timeout: float) -> StuckPool:
            self.pools.append(request.param(self.runtime, model, count, timeout))
            return self.pools[-1]

        self.runtime.open_pool = open_pool  # type: ignore[method-assign]
        self.expected = 1 if request.param is StuckPool else 0

    def when_stuck(self, act: Callable[[], object]) -> threading.Thread:
        """Do something as soon as the analysis hangs."""

        def wait() -> None:
            while not self.pools:
                threading.Event().wait(0.01)
            self.pools[0].stuck.wait()
            act()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread


class TestInterrupted(StuckImports):
    @pytest.mark.parametrize("threaded", [False, True])
    def test_ctrl_c_ends_the_analysis_of_an_import_that_is_done(
        self, threaded: bool, caplog: pytest.LogCaptureFixture, io: DummyIO
    ) -> None:
        self.config["threaded"] = threaded
        sources = set(self.songs("one", "two", "three"))
        places: list[bytes] = []

        def interrupt() -> None:
            with context.music_dir(self.lib.directory):  # a thread has its own
                places.extend(item.path for item in self.lib.items())
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        self.when_stuck(interrupt)
        self.run_import(quiet=False, copy=True)
        assert all(pool.closed.is_set() for pool in self.pools)
        assert len(self.tracks()) == len(self.runtime.embedded) == self.expected
        assert "stopped" not in caplog.text
        assert f"{3 - self.expected} left to `beet resonance analyze`" in io.getoutput()
        assert self.runtime.spawned == []
        assert len(places) == 3
        assert not sources & {Path(os.fsdecode(path)) for path in places}
        assert all(Path(os.fsdecode(path)).is_file() for path in places)


class TestPatience(StuckImports):
    @pytest.fixture(autouse=True)
    def _awaited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("beetsplug.resonance.library.importer.PATIENCE", 0.3)
        monkeypatch.setattr("beetsplug.resonance.library.importer.is_awaited", lambda _: True)

    @pytest.mark.parametrize("threaded", [False, True])
    def test_what_a_person_would_wait_for_goes_to_the_background(self, threaded: bool, io: DummyIO) -> None:
        self.config["threaded"] = threaded
        self.songs("one", "two", "three")
        self.run_import(quiet=False)
        assert len(self.lib.items()) == 3
        left = r"3 tracks left to the background \(about \d+ s\)"
        if self.expected:
            left = r"1 of 3 tracks analysed in \d+ s, 2 left to the background \(about \d+ s\)"
        assert re.search(f"^resonance: {left}$", io.getoutput(), re.MULTILINE)
        assert len(self.runtime.spawned) == 1
        assert len(self.tracks()) == self.expected

    def test_no_line_names_the_end_of_either_model(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(Models, "required", property(lambda _: ["default", "default-int8"]))
        self.songs("one", "two")
        self.run_import(quiet=True)
        assert "stopped" not in caplog.text
        assert len(self.runtime.spawned) == 1

    def test_a_quiet_import_prints_nothing(self, io: DummyIO) -> None:
        self.songs("one", "two")
        self.run_import(quiet=True)
        assert "resonance" not in io.getoutput()
        assert len(self.runtime.spawned) == 1

    def test_summary_names_the_paused_background(self, io: DummyIO) -> None:
        self.run_command("resonance", "pause")
        self.songs("one", "two")
        self.run_import(quiet=False)
        assert "left until `beet resonance resume`: the background is paused" in io.getoutput()
        assert self.runtime.spawned == []


class TestSummary(Imports):
    def test_what_was_analysed_known_and_failed(self, io: DummyIO) -> None:
        self.songs("one", "two", "broken")
        self.run_import(quiet=False)
        assert re.search(r"resonance: 2 tracks analysed in \d+ s, 1 failed", io.getoutput())
        self.songs("one", "two")
        self.run_import(quiet=False)
        assert "resonance: 2 recognised as known" in io.getoutput()

    @pytest.mark.parametrize("options", [{"quiet": True}, {"pretend": True}])
    def test_nothing_is_printed_where_nothing_is_to_be_said(self, options: dict[str, bool], io: DummyIO) -> None:
        self.songs("one")
        self.run_import(**options)
        assert "resonance" not in io.getoutput()

    def test_the_background_alone(self, io: DummyIO) -> None:
        self.config["resonance"]["auto"] = "background"
        self.songs("one")
        self.run_import(quiet=False)
        assert "resonance: 1 track left to the background (about 2 s)" in io.getoutput()

    def test_hours_of_the_background_that_are_still_to_come(self, io: DummyIO) -> None:
        first, end = ((datetime.now().hour + later) % 24 for later in (2, 3))
        self.config["resonance"].set({"auto": "background", "hours": f"{first:02}:00-{end:02}:00"})
        self.songs("one")
        self.run_import(quiet=False)
        assert f"1 track left to the background (from {first:02}:00 on, about 2 s)" in io.getoutput()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestLine(Imports):
    def test_the_progress_names_place_and_title(self) -> None:
        importer = Importer(Sidecar(self.lib), getLogger("beets.resonance"), StatusLine(Terminal()))
        importer.total, importer.titles, importer.done = 3, ["Ants", "Elf Land", "Zoo"], 1
        assert importer.describe_progress() == "analysing 2/3 · Elf Land"
        importer.done = 3
        assert importer.describe_progress() == "analysing 3/3 · Zoo"

    def test_nothing_is_left_on_the_terminal(self) -> None:
        terminal = Terminal()
        importer = Importer(Sidecar(self.lib), getLogger("beets.resonance"), StatusLine(terminal), patience=60)
        importer.titles, importer.total = ["Ants"], 1
        with importer.watched():
            threading.Event().wait(0.5)
        assert importer.seconds > 0
        assert "analysing 1/1 · Ants" in terminal.getvalue()
        assert terminal.getvalue().endswith("\r\x1b[K"), "the line is left on the terminal"


@pytest.mark.parametrize(
    ("parent", "terminal", "awaited"), [(400, True, True), (400, False, False), (1, True, False), (0, True, False)]
)
def test_who_is_awaited(parent: int, terminal: bool, awaited: bool) -> None:
    primary, secondary = os.openpty()
    try:
        reader, writer = os.pipe()
        assert is_awaited(parent, (reader, secondary if terminal else writer)) == awaited
    finally:
        for descriptor in (primary, secondary, reader, writer):
            os.close(descriptor)
