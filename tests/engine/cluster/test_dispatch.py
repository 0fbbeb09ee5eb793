"""Which worker gets which file, and what happens to files of workers that die; the cluster is a stand-in."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from resonance_engine.errors import AudioError, ClusterError, KilledWorkerError, ResonanceError
from resonance_engine.worker.worker import FileAnalysis
from tests.fake_cluster import (
    DESCRIPTION,
    FakeConnection,
    FakeWorker,
    analyse,
    failures,
    key_of,
    nothing_known,
    open_pool,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("quick")


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
        connection = FakeConnection(FakeWorker(1))
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

    def test_without_workers_a_warning_comes_before_the_sentence_that_ends_it(self, files: Any, model: Path) -> None:
        connection, warnings = FakeConnection(FakeWorker(1)), []
        with closing(open_pool(connection, model, warnings.append)) as pool:
            results = filter(None, pool.analyse(files([f"{number}.mp3" for number in range(9)]), nothing_known))
            next(results)
            connection.alive.clear()
            with pytest.raises(ClusterError, match="has no workers; `dask worker` starts one"):
                list(results)
        assert warnings == [
            "The scheduler at tcp://127.0.0.1:1 has no workers left; one that comes within 0.3 s is given the work."
        ]

    def test_a_worker_that_comes_after_all_went_is_given_the_rest(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1))

        def take(sentence: str) -> None:
            assert "has no workers left" in sentence
            connection.join(FakeWorker(1))

        with closing(open_pool(connection, model, take)) as pool:
            results = filter(None, pool.analyse(files([f"{number}.mp3" for number in range(9)]), nothing_known))
            first = next(results)
            connection.alive.clear()
            assert len([first, *results]) == 9

    def test_a_scheduler_that_goes_away_ends_it_with_a_sentence(self, files: Any, model: Path) -> None:
        connection = FakeConnection(FakeWorker(1))
        with closing(open_pool(connection, model)) as pool:
            results = filter(None, pool.analyse(files([f"{number}.mp3" for number in range(9)]), nothing_known))
            next(results)
            connection.is_lost = True
            with pytest.raises(ResonanceError, match="scheduler went away"):
                list(results)


def test_the_description_is_the_workers(model: Path) -> None:
    with closing(open_pool(FakeConnection(FakeWorker(1)), model)) as pool:
        assert pool.description() == DESCRIPTION
