"""Files that crash, hang or take all memory become rows, whichever worker meets them, and the run goes on."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.ingest import BATCH_SECONDS, Ingest, IngestOutcome, Job
from resonance_engine.store import Counts, Store
from resonance_engine.store.opening import open_store
from resonance_engine.worker.worker import Worker, WorkerPool
from tests.engine.test_ingest import FakePool, jobs
from tests.fake_workers import FakeProcessWorker, is_alive, key, pid, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from resonance_engine.errors import AudioError
    from resonance_engine.worker.worker import FileAnalysis

WORKERS = 3
TIMEOUT = 2.0
REASONS = {
    "crash": "decoding it crashed the decoder (SIGSEGV)",
    "exit": "decoding it ended the decoder with exit status 7",
    "noise": "decoding it made the decoder say what is no answer",
    "hang": f"it took longer than {TIMEOUT:g} s and was given up",
    "greedy": "it needs too much memory",
    "bad": "it holds no audio",
}


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        yield store


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """Three stand-ins."""
    monkeypatch.setattr(Worker, "command", FakeProcessWorker.command)
    monkeypatch.setattr(Worker, "beginning", "", raising=False)
    with closing(WorkerPool(Path("model.onnx"), WORKERS, TIMEOUT)) as pool:
        yield pool


def made(folder: Path, names: Iterable[str]) -> list[Job]:
    """A job for each name, in a folder of its own where several have one name."""
    found = []
    for number, name in enumerate(names):
        path = folder / str(number) / f"{name}.wav"
        path.parent.mkdir()
        path.touch()
        found.append(Job(number, 1.0, path))
    return found


def run(store: Store, pool: WorkerPool, todo: list[Job]) -> list[IngestOutcome]:
    return list(Ingest(store, store.libraries.get_or_create("home"), pool).run(todo))


def check(store: Store, todo: list[Job], outcomes: list[IngestOutcome]) -> None:
    """Each job came to its end once, and the store holds that."""
    assert sorted(outcome.job.item_id for outcome in outcomes) == [job.item_id for job in todo]
    troubles = {os.fsencode(job.path): REASONS[job.path.stem] for job in todo if job.path.stem in REASONS}
    failures = store.failures.all(1)
    assert {path: (each.reason.partition(",")[0], each.tries) for path, each in failures.items()} == {
        path: (reason, 1) for path, reason in troubles.items()
    }
    good = {job.item_id: key(job.path.name) for job in todo if job.path.stem not in REASONS}
    assert {item_id: row.content_key for item_id, row in store.tracks.all(1).items()} == good
    assert store.tracks.counts(1, "0" * 16) == Counts(len(good), len(good), len(troubles))


def test_every_trouble_becomes_a_row_and_the_run_goes_on(store: Store, pool: WorkerPool, tmp_path: Path) -> None:
    names = [*REASONS, *map(str, range(10)), "crash", *map(str, range(10, 20)), *REASONS]
    todo = made(tmp_path, names)
    check(store, todo, run(store, pool, todo))
    np.testing.assert_array_equal(store.vectors.get([key("3.wav")], "0" * 16)[key("3.wav")], [1, 0, 0, 0])


@pytest.mark.parametrize("name", ["crash", "hang", "greedy"])
def test_all_workers_fall_at_the_same_time(store: Store, pool: WorkerPool, tmp_path: Path, name: str) -> None:
    todo = made(tmp_path, [name] * 2 * WORKERS + ["good"])
    check(store, todo, run(store, pool, todo))


def test_children_that_are_killed_while_idle_cost_no_file(store: Store, pool: WorkerPool, tmp_path: Path) -> None:
    todo = made(tmp_path, ["slow", "slow", "slow", "one", "two", "three", "four"])
    subject = Ingest(store, store.libraries.get_or_create("home"), pool)
    outcomes = list(subject.run(todo[:3]))
    children = [pid(worker) for worker in pool.workers]
    for child in children:
        os.kill(child, signal.SIGKILL)
    outcomes += subject.run(todo[3:])
    check(store, todo, outcomes)
    assert not any(map(is_alive, {*children} - {pid(worker) for worker in pool.workers}))


def test_one_that_is_killed_at_work_becomes_a_row(store: Store, pool: WorkerPool, tmp_path: Path) -> None:
    (job,) = made(tmp_path, ["hang"])
    job.path.unlink()  # the stand-in makes it as soon as it hangs

    def kill() -> None:
        wait_until(job.path.exists)
        os.kill(pid(pool.workers[0]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    (outcome,) = run(store, pool, [job])
    thread.join()
    assert outcome.error is not None
    assert "killed (SIGKILL), as happens where memory runs out" in outcome.error.reason


class HaltingPool(FakePool):
    """Has nothing new to say for a while after every third file."""

    now = 0.0

    def analyse(  # type: ignore[override]
        self, paths: Iterable[Path], is_known: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        for number, found in enumerate(super().analyse(paths, is_known), 1):
            yield found
            if number % 3 == 0:
                self.now += BATCH_SECONDS
                yield None


def test_a_batch_is_kept_also_while_nothing_new_comes(store: Store, place: Path | str, tmp_path: Path) -> None:
    pool, stages = HaltingPool(), []
    subject = Ingest(store, store.libraries.get_or_create("home"), pool)
    with open_store(place) as other:
        for _ in subject.run(jobs(tmp_path, range(7)), clock=lambda: pool.now):
            stages.append(len(other.tracks.all(1)))
    assert stages == [3, 3, 3, 6, 6, 6, 7]
