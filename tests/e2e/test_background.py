"""Real runners behind real imports: they outlive them, obey, die, and leave nothing running."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from beetsplug.resonance.background.job_state import JobProgress, JobState
from beetsplug.resonance.background.process_lock import BACKGROUND, FOREGROUND, Holder, ProcessLock
from resonance_engine.store import Store
from tests.audio_files import write_audio
from tests.e2e.home import Home, new_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 100.0
TURN = 8  # files between two rests


def until(condition: Callable[[], Any]) -> None:
    """Wait for something, much longer than it takes."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


class Background:
    """A beets whose imports leave the listening to the background, in a folder with an inbox."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.home: Home = new_home(folder / "home", resonance={"auto": "background", "threads": 1, **settings})
        self.inbox = folder / "inbox"

    def songs(self, count: int, first: int = 0) -> Path:
        """A new folder of noise with three windows a file, so that a turn takes about a second."""
        folder = self.inbox / str(first)
        folder.mkdir(parents=True)
        for number in range(first, first + count):
            noise = np.random.default_rng(number).uniform(-0.3, 0.3, 30 * 8000).astype(np.float32)
            tags = {"title": f"Song {number}", "artist": "Somebody", "album": f"Album {first}"}
            write_audio(folder / f"{number}.flac", noise, 8000, metadata=tags)
        return folder

    @property
    def holder(self) -> Holder | None:
        return ProcessLock(self.home.path / "resonance-1.lock").holder()

    @property
    def report(self) -> JobProgress | None:
        if not self.home.sidecar.exists():
            return None
        with Store(self.home.sidecar) as store:
            return JobState(store, 1).progress

    @property
    def doing(self) -> str:
        return self.report.activity if self.report else ""

    def known(self) -> int:
        return len(self.home.tracks())

    def line(self) -> str:
        """What status says of the background."""
        lines = self.home.beet("resonance", "status")
        return next(line for line in lines if line.startswith("background:"))[16:]

    def resting(self) -> Holder:
        """The runner, once it rests after its first turn."""
        until(lambda: self.known() >= TURN)
        holder = self.holder
        assert holder is not None, "it was too quick"
        assert holder.kind == BACKGROUND
        return holder

    def end(self) -> None:
        """Leave nothing running, whatever became of the test."""
        holder = self.holder
        if holder is not None and holder.pid:
            with suppress(ProcessLookupError):
                os.kill(holder.pid, signal.SIGKILL)
            until(lambda: self.holder is None)


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Background]:
    made = Background(tmp_path)
    yield made
    made.end()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Background]:
    """One that rests longer after a turn than the 2 s after which results are stored."""
    made = Background(tmp_path, pace=10)
    yield made
    made.end()


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = stat.read_text().rpartition(")")
            if int(rest.split()[1]) == pid:
                found.append(int(name.split()[0]))
    return found


def test_an_import_ends_and_the_background_goes_on_without_it(background: Background) -> None:
    background.home.beet("import", str(background.songs(3)))
    assert len(background.home.titles()) == 3
    until(lambda: background.holder is not None or background.report is not None)
    holder = background.holder
    if holder is not None and holder.pid:  # it is not done yet
        with suppress(ProcessLookupError):
            assert os.getsid(holder.pid) == holder.pid, "it would end with the terminal"
    until(lambda: background.known() == 3 and background.holder is None)
    background.home.assert_known(3)
    assert background.line().endswith(", 3 tracks done")


@pytest.mark.slow
def test_pause_resume_and_stop(slow: Background) -> None:
    home = slow.home
    home.beet("import", str(slow.songs(TURN + 4)))
    runner = slow.resting()
    assert os.getpriority(os.PRIO_PROCESS, runner.pid) >= 10
    assert slow.line().startswith(f"working; {TURN} of {TURN + 4} tracks since ")
    assert home.beet("resonance", "pause") == ["the background analysis is paused; `beet resonance resume` goes on"]
    until(lambda: slow.doing == "paused")
    assert slow.line().startswith(f"paused at {TURN} of {TURN + 4} tracks ")
    assert children(runner.pid) == [], "the workers hold their memory"
    home.beet("import", str(slow.songs(1, first=50)))
    assert (slow.holder, slow.known()) == (runner, TURN)
    assert home.beet("resonance", "resume") == ["the background analysis goes on"]
    until(lambda: slow.known() == TURN + 5 and slow.holder is None)
    assert slow.report is not None
    assert slow.report.pid == runner.pid

    home.beet("import", str(slow.songs(TURN + 2, first=100)))
    until(lambda: slow.known() == 2 * TURN + 5)
    assert home.beet("resonance", "stop") == ["the background analysis is stopped; `beet resonance analyze` goes on"]
    assert slow.holder is None
    assert slow.known() == 2 * TURN + 5
    assert slow.line().endswith(", stopped; what was analysed is kept")
    home.beet("resonance", "analyze", "--background")
    until(lambda: slow.known() == 2 * TURN + 7 and slow.holder is None)
    home.assert_known(2 * TURN + 7)


@pytest.mark.slow
def test_a_killed_runner_loses_nothing(background: Background) -> None:
    home, total = background.home, 60
    home.beet("import", str(background.songs(total)))
    until(lambda: home.recordings() > 0)
    holder = background.holder
    assert holder is not None, "it was too quick"
    os.kill(holder.pid, signal.SIGKILL)
    until(lambda: background.holder is None)
    kept = background.known()
    assert 0 < kept < total
    assert background.line().startswith("ended before it was done, at ")
    assert background.line().endswith("; `beet resonance analyze` goes on")
    [line] = home.beet("resonance", "analyze")
    assert line.startswith(f"{total - kept} track")
    home.assert_known(total)
    assert home.beet("resonance", "check") == ["no problems"]
    assert background.holder is None


@pytest.mark.slow
def test_a_terminated_runner_keeps_its_batch(background: Background) -> None:
    home, total = background.home, 60
    home.beet("import", str(background.songs(total)))
    until(lambda: home.recordings() > 0)
    holder = background.holder
    assert holder is not None, "it was too quick"
    os.kill(holder.pid, signal.SIGTERM)
    until(lambda: background.holder is None)
    assert 0 < background.known() < total
    assert background.line().endswith(", stopped; what was analysed is kept")


@pytest.mark.slow
def test_a_second_import_is_picked_up_by_the_same_runner(slow: Background) -> None:
    slow.home.beet("import", str(slow.songs(TURN + 2)))
    runner = slow.resting()
    slow.home.beet("import", str(slow.songs(2, first=50)))
    slow.home.beet("remove", "-f", "title:song 0")
    assert slow.holder == runner
    until(lambda: slow.known() == TURN + 3 and slow.holder is None)
    assert slow.report is not None
    assert slow.report.pid == runner.pid
    slow.home.assert_known(TURN + 3)


@pytest.mark.slow
def test_a_foreground_analysis_takes_over(slow: Background) -> None:
    slow.home.beet("import", str(slow.songs(TURN + 2)))
    runner = slow.resting()
    status, out, err = slow.home.run("resonance", "analyze")
    assert status == 0
    assert f"waiting for the background analysis (pid {runner.pid}) to make way" in err
    assert out.startswith("2 tracks analysed in ")
    slow.home.assert_known(TURN + 2)
    assert slow.holder is None


@pytest.mark.slow
def test_a_foreground_analysis_of_some_hands_the_rest_back(slow: Background) -> None:
    slow.home.beet("import", str(slow.songs(TURN + 2)))
    slow.resting()
    status, out, err = slow.home.run("resonance", "analyze", f"title:song {TURN}")
    assert (status, out[:16]) == (0, "1 track analysed")
    assert "the background analysis goes on" in err
    until(lambda: slow.known() == TURN + 2 and slow.holder is None)


@pytest.mark.slow
def test_two_analyses_in_the_foreground(background: Background) -> None:
    home, total = background.home, 40
    home.configure(resonance={"auto": "no", "threads": 1})
    home.beet("import", str(background.songs(total)))
    with home.process("resonance", "analyze") as process:
        until(lambda: background.holder is not None)
        assert background.holder == Holder(process.pid, FOREGROUND)
        said = f"error: resonance: another analysis is running (pid {process.pid}); wait until it is done\n"
        assert home.fails("resonance", "analyze") == said
        assert process.communicate()[0].startswith(f"{total} tracks analysed in ")
    home.assert_known(total)
