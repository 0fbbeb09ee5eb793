"""Which workers are used: those that answer, with the same code, the model and the music; the cluster is a stand-in."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest

from resonance_engine.cluster import crew, worker_poll
from resonance_engine.errors import AudioError, ClusterError, ModelError, ResonanceError
from tests.fake_cluster import FakeConnection, FakeWorker, analyse, failures, nothing_known, open_pool

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.cluster.connection import SchedulerConnection

pytestmark = pytest.mark.usefixtures("quick")


class TestSilence:
    """A scheduler that answers no more, and has not gone away."""

    def test_a_warning_comes_before_the_sentence_that_ends_it(self, files: Any, model: Path) -> None:
        connection, warnings = FakeConnection(FakeWorker(1)), []
        with closing(open_pool(connection, model, warnings.append)) as pool:
            results = filter(None, pool.analyse(itertools.repeat(files(["a.mp3"])[0])))
            next(results)
            connection.is_hanging = True
            with pytest.raises(ClusterError, match=r"^The scheduler at .* does not answer any more\.$"):
                deque(results, 0)
        assert warnings == [
            "The scheduler at tcp://127.0.0.1:1 has not answered for 0.1 s; it is given up after 0.3 s."
        ]
        assert connection.is_silent

    def test_one_that_answers_again_goes_on(self, files: Any, model: Path) -> None:
        connection, warnings = FakeConnection(FakeWorker(1)), []

        def take(sentence: str) -> None:
            warnings.append(sentence)
            connection.answer()

        with closing(open_pool(connection, model, take)) as pool:
            results = filter(None, pool.analyse(files([f"slow {number}.mp3" for number in range(30)]), nothing_known))
            first = next(results)
            connection.is_hanging = True
            assert len([first, *results]) == 30
        assert len(warnings) == 1

    def test_the_time_for_which_this_process_is_suspended_does_not_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connection, warnings = FakeConnection(FakeWorker(1)), []
        connection.is_hanging = True
        clock = itertools.count(step=3600)
        monkeypatch.setattr(worker_poll.time, "monotonic", lambda: float(next(clock)))
        monkeypatch.setattr(worker_poll, "SILENCE_SECONDS", 60.0)
        poll = worker_poll.WorkerPoll(cast("SchedulerConnection", connection), warnings.append)
        assert poll.read() is None
        connection.answer()
        assert poll.read() == {"tcp://10.0.0.0:1": 1}

    def test_a_worker_that_does_not_show_its_code_is_left_out(
        self, files: Any, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown = threading.Event()
        connection, warnings = FakeConnection(FakeWorker(1), FakeWorker(1)), []
        fingerprint = connection.fingerprint

        def hang(address: str) -> str:
            if address == "tcp://10.0.0.1:1":
                shown.wait()
            return fingerprint(address)

        monkeypatch.setattr(connection, "fingerprint", hang)
        with closing(open_pool(connection, model, warnings.append)) as pool:
            results = filter(None, pool.analyse(itertools.repeat(files(["a.mp3"])[0])))
            next(results)
            monkeypatch.setattr(crew, "SILENCE_SECONDS", 0.0)
            while not warnings:
                next(results)
        shown.set()
        assert warnings == ["The worker at tcp://10.0.0.1:1 does not answer; it is left out."]


class TestOtherWorkers:
    def test_one_without_this_package_is_named_and_lives_on(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1), FakeWorker(1, lacks_package=True))
        warnings: list[str] = []
        analyse(connection, model, files([f"slow {number}.mp3" for number in range(6)]), warn=warnings.append)
        assert warnings == [
            "The worker at tcp://10.0.0.1:1 lacks beets-resonance; install it there, the same version; it is left out."
        ]
        assert "tcp://10.0.0.1:1" in connection.alive
        assert [workers for _, workers in connection.released] == [{"tcp://10.0.0.0:1"}]

    def test_where_all_lack_this_package_each_is_named(self, model: Path) -> None:
        connection = FakeConnection(*(FakeWorker(1, lacks_package=True) for _ in range(3)))
        warnings: list[str] = []
        with closing(open_pool(connection, model, warnings.append)) as pool, pytest.raises(ModelError) as caught:
            pool.description()
        named = sorted(sentence.split()[3] for sentence in [*warnings, str(caught.value)])
        assert named == sorted(connection.alive)
        assert len(connection.alive) == 3

    def test_other_code_is_left_out_and_named(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1), FakeWorker(1, code="0.0.9"))
        warnings: list[str] = []
        analyse(connection, model, files([f"slow {number}.mp3" for number in range(6)]), warn=warnings.append)
        assert {address for address, *_ in connection.log} == {"tcp://10.0.0.0:1"}
        (warning,) = warnings
        assert warning.startswith("The worker at tcp://10.0.0.1:1 has beets-resonance 0.0.9, and this machine ")
        assert warning.endswith("; install the same on both; it is left out.")

    def test_none_that_can_be_used_is_an_error_that_names_the_last(self, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1, code="0.0.9"))
        with (
            closing(open_pool(connection, model)) as pool,
            pytest.raises(ResonanceError, match=r"The worker at tcp://10\.0\.0\.0:1 has beets-resonance 0\.0\.9"),
        ):
            pool.description()

    def test_a_model_that_none_can_use_is_a_model_error(self, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1, defect="The model is damaged."))
        with (
            closing(open_pool(connection, model)) as pool,
            pytest.raises(ModelError, match=r"tcp://10\.0\.0\.0:1 cannot be used: The model is damaged\.$"),
        ):
            pool.description()

    def test_a_missing_model_is_a_model_error(self, tmp_path: Path) -> None:
        with (
            closing(open_pool(FakeConnection(FakeWorker(1)), tmp_path / "none.onnx")) as pool,
            pytest.raises(ModelError, match="There is no model at"),
        ):
            pool.description()

    def test_one_that_joins_later_is_compared_before_its_first_file(self, files: Any, model: Path) -> None:
        connection, warnings = FakeConnection(FakeWorker(1)), []
        with closing(open_pool(connection, model, warnings.append)) as pool:
            results = pool.analyse(files([f"slow {number}.mp3" for number in range(20)]), nothing_known)
            first = list(itertools.islice(filter(None, results), 3))
            connection.join(FakeWorker(1, code="0.0.9"))
            good = connection.join(FakeWorker(1))
            rest = list(filter(None, results))
        assert len(first + rest) == 20
        assert {address for address, *_ in connection.log} == {"tcp://10.0.0.0:1", good}
        assert [warning.split()[3] for warning in warnings] == ["tcp://10.0.0.1:1"]

    def test_results_of_one_that_changed_meanwhile_are_not_taken(self, files: Any, model: Path) -> None:
        changing = FakeWorker(1)
        connection = FakeConnection(FakeWorker(1), changing)
        with closing(open_pool(connection, model)) as pool:
            pool.description()
            results = pool.analyse(files([f"slow {number}.mp3" for number in range(12)]), nothing_known)
            first = list(itertools.islice(filter(None, results), 2))
            changing.code = "0.0.9"
            rest = list(filter(None, results))
        assert len({path for path, _ in first + rest}) == 12
        assert not any(isinstance(result, AudioError) for _, result in first + rest)

    def test_one_without_the_music_is_left_out_with_the_remedy(self, files: Any, model: Path) -> None:
        blind = FakeWorker(1, sees=lambda _: None)
        other = FakeWorker(1, sees=lambda _: 1)
        connection, warnings = FakeConnection(FakeWorker(1), blind, other), []
        results = analyse(connection, model, files([f"slow {number}.mp3" for number in range(9)]), warn=warnings.append)
        assert failures(results) == []
        assert {address for address, *_ in connection.log} == {"tcp://10.0.0.0:1"}
        assert len(warnings) == 2
        assert all("mount the music there, or send files with --send-files" in warning for warning in warnings)
        assert {"has no file" in warning for warning in warnings} == {True, False}

    def test_workers_without_the_music_are_listed_once(self, files: Any, model: Path) -> None:
        connection = FakeConnection(*(FakeWorker(1, sees=lambda _: None) for _ in range(3)))
        warnings: list[str] = []
        with closing(open_pool(connection, model, warnings.append)) as pool, pytest.raises(ClusterError) as caught:
            list(pool.analyse(files(["a.mp3", "b.mp3", "c.mp3"]), nothing_known))
        assert all("has no file at" in sentence for sentence in [*warnings, str(caught.value)])
        named = sorted(sentence.split()[3] for sentence in [*warnings, str(caught.value)])
        assert named == sorted(connection.alive)

    def test_where_the_last_that_can_be_used_dies_the_others_are_not_named_again(self, files: Any, model: Path) -> None:
        connection, warnings = FakeConnection(FakeWorker(1), FakeWorker(1, sees=lambda _: None)), []

        def take(sentence: str) -> None:
            warnings.append(sentence)
            connection.alive.pop("tcp://10.0.0.0:1", None)

        with closing(open_pool(connection, model, take)) as pool:
            results = filter(None, pool.analyse(itertools.repeat(files(["a.mp3"])[0])))
            with pytest.raises(ClusterError, match="has no workers that can be used; `dask worker` starts one"):
                deque(results, 0)
        assert ["has no file" in sentence for sentence in warnings] == [True, False]

    def test_where_none_has_the_music_the_remedy_is_the_error(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1, sees=lambda _: None))
        with (
            closing(open_pool(connection, model)) as pool,
            pytest.raises(ResonanceError, match=r"has no file at .*/a\.mp3; mount .* --send-files\.$"),
        ):
            list(pool.analyse(files(["a.mp3"]), nothing_known))

    def test_a_file_that_is_nowhere_is_its_own_failure(self, model: Path, tmp_path: Path) -> None:
        connection = FakeConnection(FakeWorker(1, sees=lambda _: None))
        with closing(open_pool(connection, model)) as pool:
            (result,) = filter(None, pool.analyse([tmp_path / "bad.mp3"], nothing_known))
        assert isinstance(result[1], AudioError)
