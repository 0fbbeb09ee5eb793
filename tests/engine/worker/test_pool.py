"""Several workers side by side; the children are stand-ins."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.worker import worker as worker_module
from resonance_engine.worker.worker import FileAnalysis, Worker, WorkerPool
from tests.fake_workers import TIMEOUT, FakeProcessWorker, all_known, is_alive, key, pid, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def listed(pool: WorkerPool, paths: Iterable[Path]) -> list[tuple[Path, FileAnalysis | AudioError]]:
    return list(filter(None, pool.analyse(paths, all_known)))


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """Two stand-ins."""
    monkeypatch.setattr(Worker, "command", FakeProcessWorker.command)
    monkeypatch.setattr(Worker, "beginning", "", raising=False)
    with closing(WorkerPool(Path("model.onnx"), 2, TIMEOUT)) as pool:
        yield pool


class TestPool:
    NAMES = ("slow", "a", "crash", "b", "bad", "c", "d")

    def test_a_result_comes_as_soon_as_it_is_there(self, pool: WorkerPool) -> None:
        paths = [Path(f"{name}.wav") for name in self.NAMES]
        results = listed(pool, paths)
        assert sorted(path for path, _ in results) == sorted(paths)
        for path, result in results:
            if path.stem in ("crash", "bad"):
                assert isinstance(result, AudioError)
            else:
                assert isinstance(result, FileAnalysis)
                assert result.key == key(path.name)
            assert result.path == path

    def test_one_that_hangs_holds_back_nothing(self, pool: WorkerPool, tmp_path: Path) -> None:
        """All others come while it hangs, and None once nothing else does."""
        paths = [tmp_path / "hang.wav", *(Path(f"{number}.wav") for number in range(20))]
        results = pool.analyse(iter(paths), all_known)
        found = list(itertools.takewhile(lambda each: each is not None, results))
        assert sorted(each[0] for each in found if each) == sorted(paths[1:])

    def test_results_may_have_to_come_in_order(self, pool: WorkerPool) -> None:
        paths = [Path(f"{name}.wav") for name in self.NAMES]
        found = pool.map(paths, lambda worker, path: worker.identify(path), ahead=2, in_order=True)
        assert [each[0] for each in found if each] == paths

    def test_both_workers_work(self, pool: WorkerPool) -> None:
        assert len(listed(pool, [Path("1/slow.wav"), Path("2/slow.wav")])) == 2
        assert all(worker.child for worker in pool.workers)

    def test_paths_are_taken_as_results_are(self, pool: WorkerPool) -> None:
        taken = 0

        def endless() -> Iterator[Path]:
            nonlocal taken
            while True:
                taken += 1
                yield Path(f"{taken}.wav")

        results = pool.analyse(endless(), all_known)
        first = [each[0] for each in itertools.islice(filter(None, results), 3)]
        results.close()  # type: ignore[attr-defined]  # it is a generator
        assert len(set(first)) == 3
        assert taken <= 2 * worker_module.AHEAD + 3

    def test_a_run_that_is_given_up_does_not_disturb_the_next(self, pool: WorkerPool) -> None:
        heard = []

        def noted(key: bytes) -> bool:
            heard.append(key)
            return True

        given_up = pool.analyse([Path("a.wav"), *(Path(f"{i}/slow.wav") for i in range(9))], noted)
        next(given_up)
        del given_up
        paths = [Path(f"{number}.wav") for number in range(5)]
        assert sorted(path for path, _ in listed(pool, paths)) == paths
        assert len(heard) <= 3, "what was not begun was given up"

    def test_closing_a_busy_pool_leaves_no_process(self, pool: WorkerPool, tmp_path: Path) -> None:
        hanging = [tmp_path / number / "hang.wav" for number in "12"]
        for path in hanging:
            path.parent.mkdir()
        results = pool.analyse([Path("a.wav"), *hanging, Path("b.wav")], all_known)
        next(results)
        wait_until(lambda: all(path.exists() for path in hanging))
        children = [pid(worker) for worker in pool.workers]
        pool.close()
        assert not any(map(is_alive, children))
        with pytest.raises(ResonanceError, match="stopped"):
            list(results)

    def test_a_single_file_does_not_start_a_second_child(self, pool: WorkerPool) -> None:
        list(pool.analyse([Path("a.wav")], all_known))
        list(pool.analyse([Path("b.wav")], all_known))
        assert [worker.child is not None for worker in pool.workers] == [True, False]

    def test_what_the_store_raises_ends_the_run(self, pool: WorkerPool) -> None:
        def broken(_: bytes) -> bool:
            raise LookupError("the store is gone")

        with pytest.raises(LookupError):
            list(pool.analyse([Path("a.wav"), Path("b.wav")], broken))

    def test_all_workers_run_one_model(self, pool: WorkerPool) -> None:
        described = pool.description()
        assert [worker.described for worker in pool.workers] == [described, described]
