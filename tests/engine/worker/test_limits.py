"""What a file may take: time, memory, and a child that serves for so long; the children are stand-ins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import AudioError
from resonance_engine.worker import process as process_module
from tests.fake_workers import (
    TIMEOUT,
    FakeProcessWorker,
    FakeServerWorker,
    all_known,
    is_alive,
    key,
    pid,
    wait_until,
)
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 100_000_000
LIMITED = pytest.mark.skipif(sys.platform != "linux", reason="the system knows no such limit")


@pytest.fixture
def stand_in() -> Iterator[FakeProcessWorker]:
    with closing(FakeProcessWorker(Path("model.onnx"), TIMEOUT)) as worker:
        yield worker


class TestTime:
    def test_all_questions_about_a_file_share_it(self, stand_in: FakeProcessWorker) -> None:
        """Each of the two takes half a second."""
        stand_in.description()
        stand_in.timeout = 0.8
        with pytest.raises(AudioError, match=r"slow\.wav: it took longer than 0\.8 s and was given up"):
            stand_in.analyse(Path("slow.wav"))

    def test_it_begins_anew_with_each_file(self, stand_in: FakeProcessWorker) -> None:
        stand_in.timeout = 1.3
        assert [stand_in.analyse(Path("slow.wav"), all_known).key for _ in range(3)] == [key("slow.wav")] * 3

    def test_to_start_a_child_takes_none_of_it(self, stand_in: FakeProcessWorker) -> None:
        stand_in.beginning = "late"
        stand_in.timeout = 0.9
        assert stand_in.analyse(Path("good.wav"), all_known).key == key("good.wav")
        os.kill(pid(stand_in), signal.SIGKILL)
        assert stand_in.analyse(Path("good.wav"), all_known).key == key("good.wav")


@LIMITED
class TestMemory:
    @pytest.fixture
    def listener(self) -> Iterator[FakeServerWorker]:
        with closing(FakeServerWorker(Path("model.onnx"), TIMEOUT, memory=MEMORY)) as worker:
            yield worker

    @pytest.mark.parametrize("name", ["greedy.wav", "creeping.wav", "refused.wav"])
    def test_a_file_that_needs_more_is_given_up(self, listener: FakeServerWorker, name: str) -> None:
        reason = rf"{name}: it needs more memory than a worker may use for one file \(0\.1 GB\)"
        with pytest.raises(AudioError, match=reason):
            listener.analyse(Path(name), all_known)
        assert listener.child is None, "what libraries leave behind then is not to be relied on"
        assert listener.analyse(Path("good.wav"), all_known).key == key("good.wav")

    def test_what_ffmpeg_was_refused_ends_the_child_too(self, listener: FakeServerWorker) -> None:
        with pytest.raises(AudioError, match="it is damaged"):
            listener.analyse(Path("ffmpeg.wav"), all_known)
        assert listener.child is None

    def test_a_child_that_holds_less_stays(self, listener: FakeServerWorker) -> None:
        listener.analyse(Path("one.wav"), all_known)
        first = pid(listener)
        listener.analyse(Path("two.wav"), all_known)
        assert pid(listener) == first


class TestRecycling:
    def test_a_child_is_replaced_after_so_many_questions(
        self, stand_in: FakeProcessWorker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process_module, "LIFE", 3)
        children = []
        for number in range(7):
            assert stand_in.analyse(Path(f"{number}.wav"), all_known).key == key(f"{number}.wav")
            children.append(pid(stand_in))
        assert [children.count(each) for each in dict.fromkeys(children)] == [3, 3, 1]
        assert not any(map(is_alive, set(children) - {pid(stand_in)}))

    def test_also_amid_a_file(self, stand_in: FakeProcessWorker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process_module, "LIFE", 1)
        heard = stand_in.analyse(Path("good.wav"))
        assert heard.embedding is not None


class TestOrphans:
    SCRIPT = """
from pathlib import Path
from tests.fake_workers import FakeServerWorker, pid, all_known

worker = FakeServerWorker(Path("model.onnx"), 600.0)
worker.analyse(Path("good.wav"), all_known)
print(pid(worker), flush=True)
worker.analyse(Path("NAME.wav"), all_known)
input()
"""

    @pytest.mark.parametrize("name", ["good", "hang"])
    def test_no_child_outlives_a_killed_parent(self, name: str) -> None:
        command = [sys.executable, "-c", self.SCRIPT.replace("NAME", name)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            assert runs(child)
            parent.kill()
        wait_until(lambda: not runs(child))


def runs(process: int) -> bool:
    """Whether a process does more than wait for somebody to note its end, which nobody may do for an orphan."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)  # noqa: S607 - whichever there is
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")
