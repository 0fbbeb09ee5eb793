"""Whatever a file does to its decoder, it costs that file and nothing else; the children are stand-ins."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import AudioError, ConfigError, KilledWorkerError, ModelError, ResonanceError
from resonance_engine.worker import process as process_module
from resonance_engine.worker.worker import ModelDescription
from tests.fake_workers import TIMEOUT, FakeProcessWorker, all_known, is_alive, key, pid, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stand_in() -> Iterator[FakeProcessWorker]:
    with closing(FakeProcessWorker(Path("model.onnx"), TIMEOUT)) as worker:
        yield worker


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash.wav", "decoding it crashed the decoder (SIGSEGV)"),
        ("exit.wav", "decoding it ended the decoder with exit status 7"),
        ("noise.wav", "decoding it made the decoder say what is no answer"),
        ("bad.wav", "it holds no audio"),
    ],
)
def test_what_a_file_does_is_said_of_it_and_the_next_one_is_heard(
    stand_in: FakeProcessWorker, name: str, reason: str
) -> None:
    with pytest.raises(AudioError) as caught:
        stand_in.analyse(Path(name), all_known)
    assert caught.value.path == Path(name)
    assert caught.value.reason.startswith(reason)
    assert stand_in.analyse(Path("good.wav"), all_known).key == key("good.wav")


@pytest.mark.parametrize("name", ["hang.wav", "trickle.wav"])
def test_a_file_that_takes_too_long_is_given_up(stand_in: FakeProcessWorker, tmp_path: Path, name: str) -> None:
    stand_in.analyse(Path("good.wav"), all_known)
    stand_in.timeout = 0.3
    first = pid(stand_in)
    with pytest.raises(AudioError, match=f"{name}: it took longer than 0.3 s and was given up"):
        stand_in.analyse(tmp_path / name, all_known)
    assert not is_alive(first)
    stand_in.timeout = TIMEOUT
    assert stand_in.analyse(Path("good.wav"), all_known).key == key("good.wav")


def test_a_stopped_child_is_a_hang(stand_in: FakeProcessWorker) -> None:
    stand_in.analyse(Path("good.wav"), all_known)
    stand_in.timeout = 0.2
    first = pid(stand_in)
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(AudioError, match="took longer"):
        stand_in.analyse(Path("good.wav"), all_known)
    assert not is_alive(first)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_is_killed_at_work_names_its_file(
    stand_in: FakeProcessWorker, tmp_path: Path, number: signal.Signals
) -> None:
    stand_in.analyse(Path("good.wav"), all_known)
    path = tmp_path / "hang.wav"
    child = pid(stand_in)

    def kill() -> None:
        wait_until(path.exists)
        os.kill(child, number)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(AudioError, match=rf"hang\.wav: decoding it .*\({number.name}\)") as caught:
        stand_in.analyse(path, all_known)
    thread.join()
    assert isinstance(caught.value, KilledWorkerError) == (number == signal.SIGKILL)
    assert stand_in.analyse(Path("good.wav"), all_known).key == key("good.wav")


def test_a_child_that_is_about_to_die_costs_no_file(stand_in: FakeProcessWorker) -> None:
    """It takes the question into its pipe, and never reads it."""
    stand_in.analyse(Path("good.wav"), all_known)
    os.kill(pid(stand_in), signal.SIGSTOP)
    threading.Timer(0.1, os.kill, (pid(stand_in), signal.SIGKILL)).start()
    assert stand_in.analyse(Path("good.wav"), all_known).key == key("good.wav")


def test_what_the_caller_raises_leaves_the_worker_usable(stand_in: FakeProcessWorker) -> None:
    def broken(_: bytes) -> bool:
        raise LookupError("the store is gone")

    with pytest.raises(LookupError):
        stand_in.analyse(Path("one.wav"), broken)
    assert stand_in.analyse(Path("two.wav"), all_known).key == key("two.wav")


def test_an_interrupt_leaves_no_answer_for_the_next_file(
    stand_in: FakeProcessWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.analyse(Path("good.wav"), all_known)
    child = stand_in.child
    assert child is not None
    receive = child.receive
    answers = iter([receive, None])

    def interrupted(seconds: float) -> object:
        if (step := next(answers)) is None:
            raise KeyboardInterrupt
        return step(seconds)

    monkeypatch.setattr(child, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stand_in.analyse(Path("one.wav"), all_known)
    assert stand_in.analyse(Path("two.wav"), all_known).key == key("two.wav")


def test_what_is_no_passage_is_asked_of_nobody(stand_in: FakeProcessWorker) -> None:
    with pytest.raises(ConfigError, match="The passage 1:50-1:20 ends before it begins"):
        stand_in.analyse(Path("good.wav"), passage=(110.0, 80.0))
    assert stand_in.child is None


class TestStart:
    def test_a_child_that_does_not_start(self, stand_in: FakeProcessWorker) -> None:
        stand_in.beginning = "dying"
        with pytest.raises(ModelError, match=r"model\.onnx does not start: .*exit status 3"):
            stand_in.description()

    def test_a_child_that_never_says_anything(
        self, stand_in: FakeProcessWorker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process_module, "STARTUP_TIMEOUT", 0.2)
        stand_in.beginning = "silent"
        with pytest.raises(ModelError, match=r"does not start: not within 0\.2 s"):
            stand_in.description()

    def test_a_program_that_is_not_there(self, stand_in: FakeProcessWorker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(ModelError, match="does not start: No such file"):
            stand_in.description()

    def test_a_model_that_changes_between_two_children(self, stand_in: FakeProcessWorker) -> None:
        stand_in.described = ModelDescription("another", "stand-in", "1", 4, ("timbre",))
        with pytest.raises(ModelError, match="was changed meanwhile"):
            stand_in.analyse(Path("good.wav"), all_known)


class TestClose:
    def test_it_ends_an_idle_child(self, stand_in: FakeProcessWorker) -> None:
        stand_in.description()
        child = pid(stand_in)
        stand_in.close()
        assert not is_alive(child)
        stand_in.close()

    def test_it_ends_a_busy_child_from_another_thread(self, stand_in: FakeProcessWorker, tmp_path: Path) -> None:
        stand_in.description()
        child = pid(stand_in)
        raised: list[ResonanceError] = []

        def listen() -> None:
            try:
                stand_in.analyse(tmp_path / "hang.wav", all_known)
            except ResonanceError as error:
                raised.append(error)

        thread = threading.Thread(target=listen)
        thread.start()
        wait_until((tmp_path / "hang.wav").exists)
        stand_in.close()
        thread.join(5)
        assert not thread.is_alive()
        assert not is_alive(child)
        # No AudioError: the file is not to blame.
        assert [type(error) for error in raised] == [ResonanceError]

    def test_no_child_starts_afterwards(self, stand_in: FakeProcessWorker) -> None:
        def close(_: bytes) -> bool:
            stand_in.close()
            return False

        with pytest.raises(ResonanceError, match="stopped"):
            stand_in.analyse(Path("good.wav"), close)
        assert stand_in.child is None
