"""Which worker gets which file, and what happens to files of workers that die; the cluster is a stand-in."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from resonance_engine.cluster import crew, dispatch
from resonance_engine.cluster.pool import ClusterPool
from resonance_engine.errors import AudioError, KilledWorkerError, ModelError, ResonanceError
from resonance_engine.worker.worker import FileAnalysis
from tests.fake_cluster import DESCRIPTION, FakeConnection, FakeWorker, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.cluster.connection import SchedulerConnection

Results = dict[Path, FileAnalysis | AudioError]


def nothing_known(_: bytes) -> bool:
    return False


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (crew, dispatch):
        monkeypatch.setattr(module, "WAKE_SECONDS", 0.01)
    monkeypatch.setattr(crew, "START_SECONDS", 0.3)
    monkeypatch.setattr(crew, "PATIENCE", 0.3)


@pytest.fixture
def files(tmp_path: Path) -> Any:
    def write(names: Iterable[str]) -> list[Path]:
        paths = [tmp_path / name for name in names]
        for path in paths:
            path.write_bytes(b"sound")
        return paths

    return write


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path


def open_pool(connection: FakeConnection, model: Path, warnings: list[str] | None = None) -> ClusterPool:
    warn = (lambda _: None) if warnings is None else warnings.append
    return ClusterPool(cast("SchedulerConnection", connection), model, warn=warn)


def analyse(connection: FakeConnection, model: Path, paths: list[Path], **options: Any) -> Results:
    with closing(open_pool(connection, model, options.pop("warnings", None))) as pool:
        results = list(filter(None, pool.analyse(paths, options.get("is_known", nothing_known))))
    assert Counter(path for path, _ in results) == Counter(paths)
    return dict(results)


def failures(results: Results) -> list[str]:
    return sorted(path.name for path, result in results.items() if isinstance(result, AudioError))


class TestFiles:
    def test_results_belong_to_their_files(self, files: Any, model: Path) -> None:
        paths = files([f"{number}.mp3" for number in range(30)] + ["bad.mp3"])
        connection = FakeConnection(FakeWorker(2), FakeWorker(1))
        results = analyse(connection, model, paths)
        assert failures(results) == ["bad.mp3"]
        for path, result in results.items():
            if isinstance(result, FileAnalysis):
                assert result.key == key_of(path)
                assert result.embedding is not None
                assert result.seconds == pytest.approx(0.3)
        assert len(connection.names()) == len(paths)

    def test_all_workers_take_part_and_none_gets_many_ahead(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(3), FakeWorker(1))
        analyse(connection, model, files([f"slow {number}.mp3" for number in range(20)]))
        begun = Counter(address for address, verb, _ in connection.log if verb == "embed")
        assert len(begun) == 2
        assert [connection.most[address] for address in sorted(begun)] == [4, 2]

    def test_a_recording_is_analysed_once(self, files: Any, model: Path) -> None:
        paths = files([f"slow{number}-{copy}.mp3" for number in range(4) for copy in range(3)])
        connection = FakeConnection(FakeWorker(4))
        results = analyse(connection, model, paths)
        assert sorted(name.split("-")[0] for name in connection.names()) == ["slow0", "slow1", "slow2", "slow3"]
        assert sum(isinstance(each, FileAnalysis) and each.embedding is not None for each in results.values()) == 4

    def test_the_embedding_comes_before_the_copies(self, files: Any, model: Path) -> None:
        with closing(open_pool(FakeConnection(FakeWorker(4)), model)) as pool:
            results = list(filter(None, pool.analyse(files(["slow-1.mp3", "slow-2.mp3", "slow-3.mp3"]), nothing_known)))
        assert [cast("FileAnalysis", result).embedding is None for _, result in results] == [False, True, True]

    def test_copies_of_one_that_fails_are_tried_by_themselves(self, files: Any, model: Path) -> None:
        paths = files(["slow-bad.mp3", "slow-1.mp3", "slow-2.mp3"])
        connection = FakeConnection(FakeWorker(4))
        assert failures(analyse(connection, model, paths)) == ["slow-bad.mp3"]
        assert len(connection.names()) == 2

    def test_known_recordings_are_not_analysed(self, files: Any, model: Path) -> None:
        paths = files(["a.mp3", "b.mp3", "c.mp3"])
        connection = FakeConnection(FakeWorker(1))
        analyse(connection, model, paths, is_known={key_of(path) for path in paths[:2]}.__contains__)
        assert connection.names() == ["c.mp3"]

    def test_where_nothing_is_stored_all_are_analysed(self, files: Any, model: Path) -> None:
        paths = files(["a-1.mp3", "a-2.mp3"])
        results = analyse(FakeConnection(FakeWorker(1)), model, paths, is_known=None)
        assert all(isinstance(each, FileAnalysis) and each.embedding is not None for each in results.values())

    def test_what_is_begun_is_cancelled_where_the_results_are_no_longer_wanted(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(2))
        with closing(open_pool(connection, model)) as pool:
            results = pool.analyse(files([f"slow {number}.mp3" for number in range(9)]), nothing_known)
            next(filter(None, results))
            results.close()  # type: ignore[attr-defined]
            assert connection.cancelled
        assert connection.released == [(pool.crew.session, frozenset(connection.alive))]


class TestDeaths:
    def test_a_file_is_given_up_with_its_third_worker(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1), FakeWorker(1))
        results = analyse(connection, model, files(["killer.mp3", *(f"{number}.mp3" for number in range(10))]))
        assert failures(results) == ["killer.mp3"]
        error = next(each for each in results.values() if isinstance(each, AudioError))
        assert isinstance(error, KilledWorkerError)
        assert error.reason == "decoding it ended 3 workers of the cluster, as happens where memory runs out"
        assert connection.names().count("killer.mp3") == 3

    @pytest.mark.parametrize("seed", range(8))
    def test_no_innocent_file_fails(self, files: Any, model: Path, seed: int) -> None:
        names = [f"killer {number}.mp3" for number in range(2)] + [f"slow {number}.mp3" for number in range(12)]
        names = [names[number] for number in np.random.default_rng(seed).permutation(len(names))]
        connection = FakeConnection(*(FakeWorker(threads) for threads in (3, 2)))
        results = analyse(connection, model, files(names))
        assert failures(results) == ["killer 0.mp3", "killer 1.mp3"]

    @pytest.mark.parametrize("is_another", [False, True], ids=["the same process", "another at its address"])
    def test_one_without_the_model_gets_it_again(self, files: Any, model: Path, is_another: bool) -> None:
        """The same process drops what was not used for long."""
        worker = FakeWorker(3)
        connection = FakeConnection(worker)
        with closing(open_pool(connection, model)) as pool:
            results = filter(None, pool.analyse(files([f"slow {number}.mp3" for number in range(8)]), nothing_known))
            first = next(results)
            worker.is_prepared, worker.process = False, "another" if is_another else worker.process
            rest = list(results)
        assert len({path for path, _ in [first, *rest]}) == 8
        assert all(isinstance(result, FileAnalysis) for _, result in rest)

    def test_without_workers_it_ends_with_a_sentence(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1))
        with closing(open_pool(connection, model)) as pool:
            results = filter(None, pool.analyse(files([f"{number}.mp3" for number in range(9)]), nothing_known))
            next(results)
            connection.alive.clear()
            with pytest.raises(ResonanceError, match="has no workers; `dask worker` starts one"):
                list(results)

    def test_a_scheduler_that_goes_away_ends_it_with_a_sentence(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1))
        with closing(open_pool(connection, model)) as pool:
            results = filter(None, pool.analyse(files([f"{number}.mp3" for number in range(9)]), nothing_known))
            next(results)
            connection.is_lost = True
            with pytest.raises(ResonanceError, match="scheduler went away"):
                list(results)


class TestOtherWorkers:
    def test_other_code_is_left_out_and_named(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1), FakeWorker(1, code="0.0.9"))
        warnings: list[str] = []
        analyse(connection, model, files([f"slow {number}.mp3" for number in range(6)]), warnings=warnings)
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
        with closing(open_pool(connection, model, warnings)) as pool:
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
        results = analyse(connection, model, files([f"slow {number}.mp3" for number in range(9)]), warnings=warnings)
        assert failures(results) == []
        assert {address for address, *_ in connection.log} == {"tcp://10.0.0.0:1"}
        assert len(warnings) == 2
        assert all("mount the music there, or send files with --send-files" in warning for warning in warnings)
        assert {"has no file" in warning for warning in warnings} == {True, False}

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


def test_the_description_is_the_workers(model: Path) -> None:
    with closing(open_pool(FakeConnection(FakeWorker(1)), model)) as pool:
        assert pool.description() == DESCRIPTION
