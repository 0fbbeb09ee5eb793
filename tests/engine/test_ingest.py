"""What workers hear ends up in the store: once, in batches, with a row for what failed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine import ingest as ingest_module
from resonance_engine.audio.windows import content_key
from resonance_engine.errors import AudioError, ModelError, StoreError
from resonance_engine.ingest import SPEED_KEY, USUAL_SECONDS, Ingest, IngestOutcome, Job, blend_speed
from resonance_engine.store import Analysis, Counts, Embedding, Store, Windows
from resonance_engine.store.opening import open_store
from resonance_engine.worker.worker import FileAnalysis, ModelDescription, WorkerPool
from tests.audio_files import tune, write_audio
from tests.embeddings import key, stored, unit_vectors
from tests.paths import ROOT
from tests.tiny_models import MANIFEST, onnx_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MODEL = ModelDescription("a" * 16, "fake", "1", 8, ("timbre", "rhythm"))
VECTORS = unit_vectors(50)


def embedding(number: int) -> Embedding:
    vector = VECTORS[number]
    windows = Windows((1.5,), vector[None])
    return Embedding(vector, {"timbre": vector, "rhythm": vector}, {"timbre": 0.5, "rhythm": 0.5}, windows)


@dataclass
class FakePool:
    """Hears the recording whose number is the first word of a file's name, or what `troubles` has for the name."""

    troubles: dict[str, str | BaseException] = field(default_factory=dict)
    model: ModelDescription = MODEL
    embedded: list[int] = field(default_factory=list)

    def description(self) -> ModelDescription:
        return self.model

    def analyse(
        self, paths: Iterable[Path], is_known: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError]]:
        for path in paths:
            trouble = self.troubles.get(path.name)
            if isinstance(trouble, BaseException):
                raise trouble
            if trouble is not None:
                yield path, AudioError(path, trouble)
                continue
            number = int(path.stem.split()[0])
            if is_known(key(number)):
                yield path, FileAnalysis(path, key(number), 0.01)
                continue
            self.embedded.append(number)
            yield path, FileAnalysis(path, key(number), 2.0, embedding(number), Analysis("7", {"tempo": 120.0}))


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as store:
        yield store


def ingest(store: Store, pool: FakePool | None = None) -> Ingest:
    return Ingest(store, store.libraries.get_or_create("home"), pool or FakePool())


def jobs(folder: Path, numbers: Iterable[int]) -> list[Job]:
    """One file of its own for each recording; item ids are 100 more than the recordings' numbers."""
    made = []
    for number in numbers:
        path = folder / f"{number}.wav"
        path.write_bytes(b"x" * number)
        made.append(Job(100 + number, 1.5, path))
    return made


def test_what_is_heard_is_kept(store: Store, tmp_path: Path) -> None:
    made = jobs(tmp_path, range(3))
    subject = ingest(store)
    outcomes = list(subject.run(made))
    assert outcomes == [IngestOutcome(job, key(number), embedded=True) for number, job in enumerate(made)]
    rows = store.tracks.all(subject.library)
    for number, job in enumerate(made):
        stat = job.path.stat()
        row = rows[job.item_id]
        assert (row.added, row.size, row.mtime_ns) == (1.5, stat.st_size, stat.st_mtime_ns)
        assert row.content_key == key(number)
    for kind in ("embedding", "timbre", "rhythm"):
        np.testing.assert_array_equal(store.vectors.get([key(2)], MODEL.id, kind)[key(2)], stored(VECTORS[2]))
    assert store.vectors.gates([key(1)], MODEL.id) == {key(1): {"timbre": 0.5, "rhythm": 0.5}}
    windows = store.vectors.windows([key(1)], MODEL.id)[key(1)]
    assert windows.starts == (1.5,)
    np.testing.assert_array_equal(windows.vectors, stored(VECTORS[1])[None])
    analysis = store.analyses.get([key(0)])[key(0)]
    assert (analysis.extractor_version, analysis.attributes) == ("7", {"tempo": 120.0})


def test_a_second_run_changes_nothing(store: Store, tmp_path: Path) -> None:
    pool, made = FakePool(), jobs(tmp_path, range(4))
    list(ingest(store, pool).run(made))
    before = store.generation, store.tracks.all(1), store.state.get(SPEED_KEY)
    assert list(ingest(store, pool).run(made)) == [IngestOutcome(job, key(i)) for i, job in enumerate(made)]
    assert (store.generation, store.tracks.all(1), store.state.get(SPEED_KEY)) == before
    assert pool.embedded == [0, 1, 2, 3]


def test_a_known_sound_under_another_path_is_only_linked(store: Store, tmp_path: Path) -> None:
    pool = FakePool()
    list(ingest(store, pool).run(jobs(tmp_path, [5])))
    copy = tmp_path / "5 (copy).wav"
    copy.touch()
    assert list(ingest(store, pool).run([Job(9, 2.0, copy)])) == [IngestOutcome(Job(9, 2.0, copy), key(5))]
    assert pool.embedded == [5]
    assert store.tracks.counts(1, MODEL.id) == Counts(linked=2, embedded=2, failed=0)


def test_items_that_share_a_file_share_its_hearing(store: Store, tmp_path: Path) -> None:
    pool, (job,) = FakePool(), jobs(tmp_path, [1])
    both = [job, replace(job, item_id=7)]
    assert [outcome.job for outcome in ingest(store, pool).run(both)] == both
    assert pool.embedded == [1]
    assert store.tracks.all(1).keys() == {101, 7}


class TestFailures:
    def test_a_failure_is_a_row_until_the_file_is_heard(self, store: Store, tmp_path: Path) -> None:
        made = jobs(tmp_path, range(3))
        pool = FakePool({"1.wav": "it holds no audio"})
        outcomes = list(ingest(store, pool).run(made))
        assert [outcome.error and outcome.error.reason for outcome in outcomes] == [None, "it holds no audio", None]
        path = os.fsencode(made[1].path)
        (failure,) = store.failures.all(1).values()
        stat = made[1].path.stat()
        assert (failure.path, failure.reason, failure.tries) == (path, "it holds no audio", 1)
        assert (failure.size, failure.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        list(ingest(store, pool).run(made))
        assert store.failures.all(1)[path].tries == 2
        assert 101 not in store.tracks.all(1)
        list(ingest(store).run(made))
        assert store.failures.all(1) == {}
        assert 101 in store.tracks.all(1)

    def test_a_missing_file_is_one_too(self, store: Store, tmp_path: Path) -> None:
        (job,) = jobs(tmp_path, [1])
        job.path.unlink()
        list(ingest(store, FakePool({"1.wav": "there is no such file"})).run([job]))
        (failure,) = store.failures.all(1).values()
        assert (failure.size, failure.mtime_ns, failure.reason) == (0, 0, "there is no such file")

    def test_a_caller_may_link_and_note_failures_itself(self, store: Store, tmp_path: Path) -> None:
        pool = FakePool({"1.wav": "it is silent"})
        failed, embedded = ingest(store, pool).run(jobs(tmp_path, [1, 2]), link=False)
        assert failed.error is not None
        assert store.failures.all(1) == {}
        assert store.tracks.all(1) == {}
        assert store.vectors.embedded([key(2)], MODEL.id) == {embedded.key}


class TestBatches:
    def test_they_are_on_disk_when_their_outcomes_come(
        self, store: Store, place: Path | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ingest_module, "BATCH_FILES", 3)
        stages = []
        with open_store(place) as other:
            for _ in ingest(store).run(jobs(tmp_path, range(7)), clock=lambda: 0.0):
                stages.append(len(other.tracks.all(1)))
        assert stages == [3, 3, 3, 6, 6, 6, 7]

    def test_time_ends_one_too(self, store: Store, tmp_path: Path) -> None:
        ticks = itertools.count(step=ingest_module.BATCH_SECONDS / 2)
        stages = [
            len(store.tracks.all(1)) for _ in ingest(store).run(jobs(tmp_path, range(4)), clock=lambda: next(ticks))
        ]
        assert stages == [2, 2, 4, 4]

    @pytest.mark.parametrize(("until", "done"), [(0.0, 1), (3.0, 4), (60.0, 7)])
    def test_time_that_is_over_ends_all(self, store: Store, tmp_path: Path, until: float, done: int) -> None:
        """The clock is looked at twice a result, and once at the start."""
        ticks = itertools.count(-1.0, 0.5)
        run = ingest(store).run(jobs(tmp_path, range(7)), clock=lambda: next(ticks), until=until)
        assert len(list(run)) == done == len(store.tracks.all(1))

    @pytest.mark.parametrize("stop", [KeyboardInterrupt(), ModelError("The model is gone.")], ids=repr)
    def test_what_was_heard_before_a_stop_is_kept(self, store: Store, tmp_path: Path, stop: BaseException) -> None:
        pool = FakePool({"2.wav": stop, "1.wav": "it is silent"})
        with pytest.raises(type(stop)):
            list(ingest(store, pool).run(jobs(tmp_path, range(4))))
        assert store.tracks.all(1).keys() == {100}
        assert len(store.failures.all(1)) == 1

    def test_a_run_that_is_given_up_keeps_its_batches_once(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ingest_module, "BATCH_FILES", 2)
        run = ingest(store, FakePool({"0.wav": "it is silent"})).run(jobs(tmp_path, range(6)), clock=lambda: 0.0)
        next(run)
        run.close()  # type: ignore[attr-defined]  # it is a generator
        assert store.tracks.all(1).keys() == {101}
        assert [failure.tries for failure in store.failures.all(1).values()] == [1]

    def test_one_is_kept_as_a_whole_or_not_at_all(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scale = np.where(np.arange(50) == 2, 3, 1).astype(np.float32)
        monkeypatch.setitem(globals(), "VECTORS", VECTORS * scale[:, None])
        with pytest.raises(ValueError, match="should have length 1"):
            list(ingest(store).run(jobs(tmp_path, range(4))))
        assert store.tracks.all(1) == {}
        assert store.tracks.counts(1, MODEL.id) == Counts(0, 0, 0)

    def test_a_kill_loses_the_batch_and_nothing_else(self, store: Store, place: Path | str, tmp_path: Path) -> None:
        jobs(tmp_path, range(8))
        script = """
import os, signal, sys
from pathlib import Path
from resonance_engine import ingest
from resonance_engine.store.opening import open_store
from tests.engine.test_ingest import FakePool, jobs
from tests.postgresql_server import parse_place

class Fatal(dict):
    def get(self, name, default=None):
        if name == "5.wav":
            os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
ingest.BATCH_FILES = 2
with open_store(parse_place(sys.argv[2])) as store:
    list(ingest.Ingest(store, store.libraries.get_or_create("home"), FakePool(Fatal())).run(jobs(folder, range(8))))
"""
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path), str(place)], cwd=ROOT, check=False)
        assert done.returncode == -signal.SIGKILL
        assert store.tracks.all(1).keys() == {100, 101, 102, 103}
        assert store.tracks.counts(1, MODEL.id).embedded == 4
        pool = FakePool()
        list(ingest(store, pool).run(jobs(tmp_path, range(8))))
        assert pool.embedded == [4, 5, 6, 7]


class TestTags:
    def test_they_are_kept_beside_the_vectors(self, store: Store, tmp_path: Path) -> None:
        pool = TaggingPool()
        list(ingest(store, pool).run(jobs(tmp_path, [1, 4])))
        assert store.models.all()[0].tags == TAGS
        assert store.tags.get([key(1), key(4)], MODEL.id) == {key(1): said(1), key(4): said(4)}

    def test_what_was_heard_before_they_were_kept_is_heard_once_more(self, store: Store, tmp_path: Path) -> None:
        made = jobs(tmp_path, range(3))
        list(ingest(store).run(made[:2]))
        before, tagging = store.generation, TaggingPool()
        outcomes = list(ingest(store, tagging).run(made[:2]))
        assert [outcome.embedded for outcome in outcomes] == [True, True]
        assert store.generation == before, "the vectors are the same"
        assert store.tags.get([key(0), key(1)], MODEL.id) == {key(0): said(0), key(1): said(1)}
        list(ingest(store, tagging).run(made))
        assert tagging.embedded == [0, 1, 2]


TAGS = ("rock", "sad")


def said(number: int) -> dict[str, float]:
    return {"rock": number / 64, "sad": 1 - number / 64}


class TaggingPool(FakePool):
    """The same model, in a program that passes its tags on."""

    def description(self) -> ModelDescription:
        return replace(MODEL, tags=TAGS)

    def analyse(
        self, paths: Iterable[Path], is_known: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError]]:
        for path, heard in super().analyse(paths, is_known):
            assert isinstance(heard, FileAnalysis)
            if heard.embedding is not None:
                heard = replace(heard, embedding=replace(heard.embedding, tags=said(int(path.stem))))
            yield path, heard


class TestModel:
    def test_the_first_is_taken_into_use_and_a_later_one_is_not(self, store: Store, tmp_path: Path) -> None:
        list(ingest(store).run(jobs(tmp_path, [1])))
        later = replace(MODEL, id="b" * 16)
        list(ingest(store, FakePool(model=later)).run(jobs(tmp_path, [1])))
        assert [(model.id, model.active) for model in store.models.all()] == [(MODEL.id, True), (later.id, False)]
        assert store.vectors.embedded([key(1)], later.id) == {key(1)}

    def test_one_that_uses_the_id_of_another_is_refused(self, store: Store) -> None:
        ingest(store)
        with pytest.raises(StoreError, match="export the model again"):
            ingest(store, FakePool(model=replace(MODEL, dimensions=16)))


def test_the_time_per_track_follows_slowly_and_ignores_known_sounds(store: Store, tmp_path: Path) -> None:
    store.state.set(SPEED_KEY, 1.0)
    list(ingest(store).run(jobs(tmp_path, [1])))
    assert store.state.get(SPEED_KEY) == pytest.approx(1.1)
    list(ingest(store).run(jobs(tmp_path, [1])))
    assert store.state.get(SPEED_KEY) == pytest.approx(1.1)


def test_a_cold_start_does_not_decide_what_a_track_takes() -> None:
    known = blend_speed(None, USUAL_SECONDS)
    assert known == pytest.approx(USUAL_SECONDS)
    for _ in range(2):
        known = blend_speed(known, 40.0)
    assert known < 2 * USUAL_SECONDS
    for _ in range(60):
        known = blend_speed(known, 5.0)
    assert known == pytest.approx(5.0, rel=0.05), "a slow machine is believed in the end"


def test_with_a_real_worker(store: Store, tmp_path: Path) -> None:
    model = tmp_path / "tiny.onnx"
    model.write_bytes(onnx_model())
    music = write_audio(tmp_path / os.fsdecode(b"t\xfcne.wav"), tune(4.0, 8000), 8000)
    (tmp_path / "text.mp3").write_bytes(b"no music")
    with closing(WorkerPool(model)) as pool:
        subject = Ingest(store, store.libraries.get_or_create("home"), pool)
        good, bad = subject.run([Job(1, 1.0, music), Job(2, 1.0, tmp_path / "text.mp3")])
        (again,) = subject.run([Job(1, 1.0, music)])
    sealed = MANIFEST.seal([b"0"])
    active = store.models.active()
    assert active is not None
    assert (active.id, active.name, active.dimensions) == (sealed.id, "tiny", 16)
    assert (good.key, good.embedded, good.error) == (content_key(music), True, None)
    assert (again.key, again.embedded) == (good.key, False)
    assert bad.error is not None
    assert list(store.failures.all(1)) == [os.fsencode(tmp_path / "text.mp3")]
    assert store.tracks.counts(1, sealed.id) == Counts(linked=1, embedded=1, failed=1)
    assert store.analyses.get([content_key(music)])
