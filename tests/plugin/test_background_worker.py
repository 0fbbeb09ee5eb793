"""What the runner does with its orders, and what status says of it."""

from __future__ import annotations

import errno
import os
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from beets.exceptions import UserError
from confuse import Configuration

from beetsplug.resonance.background.__main__ import ReadOnlyLibrary
from beetsplug.resonance.background.job_state import BackgroundTask, JobProgress, JobState
from beetsplug.resonance.background.monitor import Clocks, Interrupted, WorkMonitor
from beetsplug.resonance.background.process_lock import BACKGROUND, ProcessLock
from beetsplug.resonance.config.settings import Hours
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ResonanceError
from resonance_engine.store.store import Store
from tests.plugin.background_fixtures import BackgroundFixtures, Noon, ScriptedTime
from tests.plugin.command_library import CommandLibrary
from tests.plugin.fake_runtime import FakePool

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.worker.worker import ModelDescription


class Pending(BackgroundFixtures, CommandLibrary):
    """Five songs that nobody has listened to, of which a runner does two at a time."""

    settings: ClassVar[dict[str, Any]] = {}
    begins: ClassVar[str] = "analysing in the background"

    @pytest.fixture(autouse=True)
    def _requested(self, setup: None, io: object, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - in this order
        monkeypatch.setattr("beetsplug.resonance.background.monitor.TURN", 2)
        monkeypatch.setattr("beetsplug.resonance.background.job_state.datetime", Noon)
        self.config["resonance"].set(self.settings)
        for number in range(5):
            self.song(f"song {number}")
        assert self.beet("resonance", "analyze", "--background") == [
            f"{self.begins}; `beet resonance status` says how far it is"
        ]

    def background(self) -> str:
        """What status says of it."""
        return next(line for line in self.beet("resonance", "status") if line.startswith("background:"))[16:]

    def counted(self) -> int:
        with closing(Sidecar(self.lib)) as sidecar:
            return len(sidecar.store.tracks.all(sidecar.id))


class TestRunner(Pending):
    def test_all_is_done_and_said(self) -> None:
        assert self.background() == "starting"
        script = ScriptedTime()
        self.work(script)
        assert script.sleeps == []
        assert self.counted() == 5
        assert self.background().endswith(", 5 tracks done")
        assert (self.progress().pid, self.progress().done, self.progress().total) == (os.getpid(), 5, 5)
        assert not self.requests().open
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]

    def test_a_second_one_does_nothing_while_one_works(self) -> None:
        with self.locked(BACKGROUND):
            self.work()
        assert not self.runtime.starts
        assert self.requests().open

    def test_a_request_while_it_works_is_served_by_it(self) -> None:
        def late(_: object) -> None:
            if self.requests().requested == 1:
                with self.job_state() as job_state:
                    self.song("late")
                    job_state.request()

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("beetsplug.resonance.background.job_state.ProgressReporter.step", late)
            self.work()
        assert self.counted() == 6
        assert not self.requests().open

    def test_a_request_between_the_last_look_and_the_release_is_not_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        released = ProcessLock.release

        def release(lock: ProcessLock) -> None:
            if self.requests().requested == 1:
                self.song("late")
                with self.job_state() as job_state:
                    job_state.request()
                # The process that this one would have started.
                with self.worker() as second:
                    second.run()
                assert self.counted() == 5, "the lock was free already, which is not what is tested"
            released(lock)

        monkeypatch.setattr(ProcessLock, "release", release)
        monkeypatch.setattr("beetsplug.resonance.background.__main__.LOCK_PATIENCE", 0)
        self.work()
        assert self.counted() == 6
        assert not self.requests().open

    def test_an_order_to_leave_ends_it_and_keeps_the_request(self) -> None:
        with self.worker() as worker:
            step = worker.job_state.requests.leaves
            worker.job_state.request_exit()
            assert not worker.has_unserved(worker.serve(step), exit_requested=True)
        assert self.requests().open
        assert not self.runtime.starts

    def test_a_request_while_a_stopped_one_ends_is_not_lost(self) -> None:
        def stopped(_: object) -> None:
            if self.requests().requested == 1:
                with self.job_state() as job_state:
                    job_state.stop()
                    job_state.request()

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("beetsplug.resonance.background.job_state.ProgressReporter.step", stopped)
            self.work()
        assert self.counted() == 5
        assert not self.requests().open

    def test_a_signal_ends_it_in_order(self) -> None:
        with self.worker() as worker:
            worker.terminate()
            worker.run()
        assert self.progress().message == "stopped; what was analysed is kept"

    @pytest.mark.parametrize("error", [ZeroDivisionError("by nobody"), UserError("no such thing")])
    def test_whatever_goes_wrong_is_said(self, error: Exception) -> None:
        self.runtime.surprise, self.runtime.patience = error, 3
        self.work()
        assert self.counted() == 3
        assert str(error) in self.background()
        self.runtime.surprise = None
        assert self.beet("resonance", "analyze")[0].startswith("2 tracks analysed")
        assert not self.requests().open

    def test_a_full_disk_is_a_sentence_with_the_path(self) -> None:
        self.runtime.surprise = OSError(errno.ENOSPC, "No space left on device", "/music/resonance.db-journal")
        self.work()
        assert self.background().endswith(", /music/resonance.db-journal: No space left on device")

    def test_a_request_after_which_it_failed_is_tried_once_more(self) -> None:
        self.runtime.surprise = ZeroDivisionError("by nobody")
        released = ProcessLock.release

        def release(lock: ProcessLock) -> None:
            self.runtime.surprise = None
            if self.requests().requested == 1:
                with self.job_state() as job_state:
                    job_state.request()
            released(lock)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(ProcessLock, "release", release)
            self.work()
        assert self.counted() == 5

    def test_one_that_was_killed(self) -> None:
        with self.job_state() as job_state:
            job_state.set_progress(JobProgress(1, time.time(), 2, 5))
        assert self.background() == "ended before it was done, at 2 of 5 tracks; `beet resonance analyze` goes on"
        self.beet("resonance", "analyze")
        assert not self.requests().open
        assert len(self.runtime.spawned) == 1

    def test_a_library_that_cannot_be_written_to(self) -> None:
        library = ReadOnlyLibrary(self.lib.path, os.fsdecode(self.lib.directory))
        item = library.items()[0]
        item.title = "other"
        with pytest.raises(Exception, match="attempt to write a readonly database"):
            item.store()
        library._close()

    # beets leaves its connection open where its file is no database.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_what_keeps_it_from_beginning_is_said(self) -> None:
        from beetsplug.resonance.background import __main__ as run

        task = BackgroundTask.from_json(self.runtime.spawned[-1][-1])
        before = self.lib.path.read_bytes()
        self.lib.path.write_bytes(b"this is no database" * 1000)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("os.nice", lambda _: 0)
            patched.setattr(run, "config", Configuration("beets", read=False))
            run.main(task.to_json())
        self.lib.path.write_bytes(before)
        assert self.background().endswith(", unexpected DatabaseError('file is not a database')")


class TestPaced(Pending):
    settings: ClassVar[dict[str, Any]] = {"pace": 50}

    def test_it_rests_between_turns(self) -> None:
        script = ScriptedTime()
        self.work(script)
        assert self.counted() == 5
        assert 0 < sum(script.sleeps) < script.seconds

    def test_pause_ends_the_workers_and_resume_goes_on(self) -> None:
        seen: list[tuple[int, int]] = []

        def look() -> None:
            seen.append((len(self.runtime.open), self.counted()))

        def status() -> None:
            seen.append((len(self.runtime.open), self.counted()))
            assert self.background().startswith("paused at 2 of 5 tracks (pid ")

        script = ScriptedTime(
            lambda: self.beet("resonance", "pause"), status, look, lambda: self.beet("resonance", "resume")
        )
        self.work(script)
        assert seen == [(0, 2), (0, 2)]
        assert self.counted() == 5
        assert self.runtime.starts == 2
        assert len(self.runtime.spawned) == 1, "resume started another one"

    def test_a_pause_while_the_model_loads_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        describe = FakePool.description

        def description(_: FakePool) -> ModelDescription:
            monkeypatch.setattr(FakePool, "description", describe)
            assert worker.monitor is not None
            with self.job_state() as job_state:
                job_state.pause(True)
            assert worker.monitor.refresh() == "paused"
            raise ResonanceError("The pool was closed.")

        monkeypatch.setattr(FakePool, "description", description)
        with self.worker(ScriptedTime(lambda: self.beet("resonance", "resume"))) as worker:
            worker.run()
        assert self.counted() == 5
        assert self.progress().message == ""

    def test_stop_ends_it_and_keeps_what_is_done(self) -> None:
        with self.job_state() as job_state:
            self.work(ScriptedTime(job_state.stop))
        assert self.counted() == 2
        assert self.background().endswith(", stopped; what was analysed is kept")
        assert not self.requests().open
        assert self.beet("resonance", "stop") == ["no background analysis is running"]
        assert self.beet("resonance", "resume") == [
            "analysing in the background; `beet resonance status` says how far it is"
        ]


class TestHours(Pending):
    settings: ClassVar[dict[str, Any]] = {"hours": "22:00-23:00"}
    begins: ClassVar[str] = "the background analysis begins at 22:00"

    def test_it_waits_for_its_hours_without_workers(self) -> None:
        script = ScriptedTime()

        def late() -> None:
            assert not self.runtime.starts
            assert self.progress().activity == "waiting for 22:00"
            script.seconds += 10 * 3600

        script.events = [lambda: None, late]
        self.work(script)
        assert len(script.sleeps) == 2
        assert self.counted() == 5


def test_a_watch_ends_what_takes_long(tmp_path: Path) -> None:
    with Store(tmp_path / "resonance.db") as store:
        job_state, ended = JobState(store, 1), threading.Event()
        monitor = WorkMonitor(job_state, Hours(), 0, Clocks())
        with monitor.closing_early(ended.set):
            job_state.pause(True)
            assert ended.wait(60), "nobody closed it"
        assert monitor.obstacle == "paused"
        with pytest.raises(Interrupted):
            monitor.verify()
