"""Real child processes: whatever a file does to its decoder, it costs that file and nothing else."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine import worker as worker_module
from resonance_engine.audio import content_key, read_windows
from resonance_engine.encoder import Encoder
from resonance_engine.errors import AudioError, ModelError, ResonanceError
from resonance_engine.features import FrontEnd
from resonance_engine.worker import Listened, ModelDescription, Worker, WorkerPool, environment
from tests.audio_files import tune, write_audio
from tests.tiny_models import MANIFEST, SPEC, onnx_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAND_IN = Path(__file__).parents[1] / "stand_in.py"
TIMEOUT = 10.0


def unwanted(_: bytes) -> bool:
    return False


def wanted(_: bytes) -> bool:
    return True


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for counts as alive too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid(worker: Worker) -> int:
    assert worker.child is not None
    return worker.child.process.pid


def key(name: str) -> bytes:
    """The content key that the stand-in gives a file."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


class StandIn(Worker):
    """A worker whose child is `tests/stand_in.py`."""

    beginning = ""

    def command(self) -> list[str]:
        return [sys.executable, "-S", "-E", str(STAND_IN), self.beginning]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn(Path("model.onnx"), TIMEOUT) as worker:
        yield worker


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """Two stand-ins."""
    monkeypatch.setattr(Worker, "command", StandIn.command)
    monkeypatch.setattr(Worker, "beginning", "", raising=False)
    with WorkerPool(Path("model.onnx"), 2, TIMEOUT) as pool:
        yield pool


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("music") / "tune.wav", tune(4.0, 8000), 8000)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(onnx_model())
    return path


@pytest.fixture(scope="module")
def real(model: Path) -> Iterator[Worker]:
    """A worker with its real child, which several stories share."""
    with Worker(model) as worker:
        yield worker


class TestRealChild:
    def test_it_describes_its_model(self, real: Worker) -> None:
        sealed = MANIFEST.sealed([b"0"])
        assert real.description() == ModelDescription(sealed.id, "tiny", "1", 16, ("timbre", "harmony", "rhythm"))

    def test_it_hears_what_this_process_would_hear(self, real: Worker, music: Path, model: Path) -> None:
        heard = real.listen(music, wanted)
        recording = read_windows(music, SPEC.decoding)
        expected = Encoder(model).embed(FrontEnd(SPEC)(recording.windows))
        assert heard.path == music
        assert heard.key == content_key(music)
        assert heard.starts == pytest.approx(recording.starts)
        assert heard.seconds > 0
        assert heard.embedding is not None
        np.testing.assert_allclose(heard.embedding.embedding, expected.embedding, atol=1e-5)
        np.testing.assert_allclose(heard.embedding.windows, expected.windows, atol=1e-5)
        assert heard.embedding.facets.keys() == expected.facets.keys()
        for name, facet in expected.facets.items():
            np.testing.assert_allclose(heard.embedding.facets[name], facet, atol=1e-5)
        assert heard.embedding.gates == pytest.approx(expected.gates, abs=1e-5)
        assert heard.attributes is not None
        assert heard.attributes["duration"] == pytest.approx(4.0, abs=0.1)
        assert heard.attributes.keys() >= {"tempo", "key", "energy", "brightness", "short"}
        assert heard.extractor

    def test_a_known_sound_is_only_identified(self, real: Worker, music: Path) -> None:
        asked: list[bytes] = []

        def known(key: bytes) -> bool:
            asked.append(key)
            return False

        heard = real.listen(music, known)
        assert asked == [content_key(music)]
        assert (heard.key, heard.embedding, heard.attributes) == (asked[0], None, None)

    def test_a_broken_file_costs_itself(self, real: Worker, music: Path, tmp_path: Path) -> None:
        real.listen(music, unwanted)
        child = pid(real)
        for name, content in (("text.mp3", b"no music\n" * 1000), ("empty.flac", b"")):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(AudioError) as caught:
                real.listen(tmp_path / name, wanted)
            assert caught.value.path == tmp_path / name
            assert "could not be analysed" not in caught.value.reason
        with pytest.raises(AudioError, match="no such file"):
            real.listen(tmp_path / "missing.wav", wanted)
        assert real.listen(music, unwanted).key == content_key(music)
        assert pid(real) == child

    def test_a_path_that_is_no_text(self, real: Worker, music: Path, tmp_path: Path) -> None:
        odd = tmp_path / os.fsdecode(b"\xe9t\xe9\n.wav")
        odd.write_bytes(music.read_bytes())
        assert real.listen(odd, unwanted).key == content_key(music)

    def test_a_child_that_dies_while_idle_costs_no_file(self, real: Worker, music: Path) -> None:
        real.listen(music, unwanted)
        first = pid(real)
        os.kill(first, signal.SIGKILL)
        assert real.listen(music, unwanted).key == content_key(music)
        assert pid(real) != first

    def test_it_computes_on_one_core(self) -> None:
        assert environment()["OMP_NUM_THREADS"] == environment()["OPENBLAS_NUM_THREADS"] == "1"

    @pytest.mark.parametrize("content", [None, b"no model"], ids=["missing", "damaged"])
    def test_a_model_that_cannot_be_used_is_named(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "mine.onnx"
        if content is not None:
            path.write_bytes(content)
        with Worker(path) as worker, pytest.raises(ModelError, match=r"mine\.onnx"):
            worker.listen(tmp_path / "any.wav", wanted)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash.wav", "decoding it crashed the decoder (SIGSEGV)"),
        ("exit.wav", "decoding it ended the decoder with exit status 7"),
        ("noise.wav", "decoding it made the decoder say what is no answer"),
        ("bad.wav", "it holds no audio"),
    ],
)
def test_what_a_file_does_is_said_of_it_and_the_next_one_is_heard(stand_in: StandIn, name: str, reason: str) -> None:
    with pytest.raises(AudioError) as caught:
        stand_in.listen(Path(name), unwanted)
    assert caught.value.path == Path(name)
    assert caught.value.reason.startswith(reason)
    assert stand_in.listen(Path("good.wav"), unwanted).key == key("good.wav")


@pytest.mark.parametrize("name", ["hang.wav", "trickle.wav"])
def test_a_file_that_takes_too_long_is_given_up(stand_in: StandIn, tmp_path: Path, name: str) -> None:
    stand_in.listen(Path("good.wav"), unwanted)
    stand_in.timeout = 0.3
    first = pid(stand_in)
    with pytest.raises(AudioError, match=f"{name}: it took longer than 0.3 s and was given up"):
        stand_in.listen(tmp_path / name, unwanted)
    assert not alive(first)
    stand_in.timeout = TIMEOUT
    assert stand_in.listen(Path("good.wav"), unwanted).key == key("good.wav")


def test_a_stopped_child_is_a_hang(stand_in: StandIn) -> None:
    stand_in.listen(Path("good.wav"), unwanted)
    stand_in.timeout = 0.2
    first = pid(stand_in)
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(AudioError, match="took longer"):
        stand_in.listen(Path("good.wav"), unwanted)
    assert not alive(first)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_is_killed_at_work_names_its_file(
    stand_in: StandIn, tmp_path: Path, number: signal.Signals
) -> None:
    stand_in.listen(Path("good.wav"), unwanted)
    path = tmp_path / "hang.wav"
    child = pid(stand_in)

    def kill() -> None:
        eventually(path.exists)
        os.kill(child, number)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(AudioError, match=rf"hang\.wav: decoding it .*\({number.name}\)"):
        stand_in.listen(path, unwanted)
    thread.join()
    assert stand_in.listen(Path("good.wav"), unwanted).key == key("good.wav")


def test_a_child_that_is_about_to_die_costs_no_file(stand_in: StandIn) -> None:
    """It takes the question into its pipe, and never reads it."""
    stand_in.listen(Path("good.wav"), unwanted)
    os.kill(pid(stand_in), signal.SIGSTOP)
    threading.Timer(0.1, os.kill, (pid(stand_in), signal.SIGKILL)).start()
    assert stand_in.listen(Path("good.wav"), unwanted).key == key("good.wav")


def test_what_the_caller_raises_leaves_the_worker_usable(stand_in: StandIn) -> None:
    def broken(_: bytes) -> bool:
        raise LookupError("the store is gone")

    with pytest.raises(LookupError):
        stand_in.listen(Path("one.wav"), broken)
    assert stand_in.listen(Path("two.wav"), unwanted).key == key("two.wav")


def test_an_interrupt_leaves_no_answer_for_the_next_file(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.listen(Path("good.wav"), unwanted)
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
        stand_in.listen(Path("one.wav"), unwanted)
    assert stand_in.listen(Path("two.wav"), unwanted).key == key("two.wav")


class TestStart:
    def test_a_child_that_does_not_start(self, stand_in: StandIn) -> None:
        stand_in.beginning = "dying"
        with pytest.raises(ModelError, match=r"model\.onnx does not start: .*exit status 3"):
            stand_in.description()

    def test_a_child_that_never_says_anything(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker_module, "STARTUP_TIMEOUT", 0.2)
        stand_in.beginning = "silent"
        with pytest.raises(ModelError, match=r"does not start: not within 0\.2 s"):
            stand_in.description()

    def test_a_program_that_is_not_there(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(ModelError, match="does not start: No such file"):
            stand_in.description()

    def test_a_model_that_changes_between_two_children(self, stand_in: StandIn) -> None:
        stand_in.described = ModelDescription("another", "stand-in", "1", 4, ("timbre",))
        with pytest.raises(ModelError, match="was changed meanwhile"):
            stand_in.listen(Path("good.wav"), unwanted)


class TestClose:
    def test_it_ends_an_idle_child(self, stand_in: StandIn) -> None:
        stand_in.description()
        child = pid(stand_in)
        stand_in.close()
        assert not alive(child)
        stand_in.close()

    def test_it_ends_a_busy_child_from_another_thread(self, stand_in: StandIn, tmp_path: Path) -> None:
        stand_in.description()
        child = pid(stand_in)
        raised: list[ResonanceError] = []

        def listen() -> None:
            try:
                stand_in.listen(tmp_path / "hang.wav", unwanted)
            except ResonanceError as error:
                raised.append(error)

        thread = threading.Thread(target=listen)
        thread.start()
        eventually((tmp_path / "hang.wav").exists)
        stand_in.close()
        thread.join(5)
        assert not thread.is_alive()
        assert not alive(child)
        # No AudioError: the file is not to blame.
        assert [type(error) for error in raised] == [ResonanceError]

    def test_no_child_starts_afterwards(self, stand_in: StandIn) -> None:
        def closing(_: bytes) -> bool:
            stand_in.close()
            return True

        with pytest.raises(ResonanceError, match="stopped"):
            stand_in.listen(Path("good.wav"), closing)
        assert stand_in.child is None


class TestPool:
    NAMES = ("slow", "a", "crash", "b", "bad", "c", "d")

    def test_results_come_in_the_order_of_the_paths(self, pool: WorkerPool) -> None:
        paths = [Path(f"{name}.wav") for name in self.NAMES]
        results = list(pool.listen(iter(paths), unwanted))
        assert [path for path, _ in results] == paths
        for path, result in results:
            if path.stem in ("crash", "bad"):
                assert isinstance(result, AudioError)
            else:
                assert isinstance(result, Listened)
                assert result.key == key(path.name)
            assert result.path == path

    def test_both_workers_work(self, pool: WorkerPool) -> None:
        assert len(list(pool.listen([Path("1/slow.wav"), Path("2/slow.wav")], unwanted))) == 2
        assert all(worker.child for worker in pool.workers)

    def test_paths_are_taken_as_results_are(self, pool: WorkerPool) -> None:
        taken = 0

        def endless() -> Iterator[Path]:
            nonlocal taken
            while True:
                taken += 1
                yield Path(f"{taken}.wav")

        results = pool.listen(endless(), unwanted)
        first = [next(results)[0].name for _ in range(3)]
        results.close()  # type: ignore[attr-defined]  # it is a generator
        assert first == ["1.wav", "2.wav", "3.wav"]
        assert taken <= 2 * worker_module.AHEAD + 3

    def test_a_run_that_is_given_up_does_not_disturb_the_next(self, pool: WorkerPool) -> None:
        heard = []

        def noted(key: bytes) -> bool:
            heard.append(key)
            return False

        given_up = pool.listen([Path("a.wav"), *(Path(f"{i}/slow.wav") for i in range(9))], noted)
        next(given_up)
        del given_up
        paths = [Path(f"{number}.wav") for number in range(5)]
        assert [path for path, _ in pool.listen(paths, unwanted)] == paths
        assert len(heard) <= 3, "what was not begun was given up"

    def test_closing_a_busy_pool_leaves_no_process(self, pool: WorkerPool, tmp_path: Path) -> None:
        hanging = [tmp_path / number / "hang.wav" for number in "12"]
        for path in hanging:
            path.parent.mkdir()
        results = pool.listen([Path("a.wav"), *hanging, Path("b.wav")], unwanted)
        next(results)
        eventually(lambda: all(path.exists() for path in hanging))
        children = [pid(worker) for worker in pool.workers]
        pool.close()
        assert not any(map(alive, children))
        with pytest.raises(ResonanceError, match="stopped"):
            next(results)

    def test_a_single_file_does_not_start_a_second_child(self, pool: WorkerPool) -> None:
        list(pool.listen([Path("a.wav")], unwanted))
        list(pool.listen([Path("b.wav")], unwanted))
        assert [worker.child is not None for worker in pool.workers] == [True, False]

    def test_what_the_store_raises_ends_the_run(self, pool: WorkerPool) -> None:
        def broken(_: bytes) -> bool:
            raise LookupError("the store is gone")

        with pytest.raises(LookupError):
            list(pool.listen([Path("a.wav"), Path("b.wav")], broken))

    def test_all_workers_run_one_model(self, pool: WorkerPool) -> None:
        described = pool.description()
        assert [worker.described for worker in pool.workers] == [described, described]
