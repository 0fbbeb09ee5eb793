"""Filling a feature cache from files: in other processes, each sound once, and never in vain."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.audio.windows import content_key, read_windows
from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.training.augmentation.audio_augment import augment_audio
from resonance_engine.training.config.settings import AudioAugmentSettings
from resonance_engine.training.data import precompute as precompute_module
from resonance_engine.training.data.cache import FeatureCache, RamCache, SqliteCache
from resonance_engine.training.data.extractor import view_key, views_maker
from resonance_engine.training.data.precompute import Extractor, Precomputed, Recorder, precompute
from tests.audio_files import tune, write_audio
from tests.paths import ROOT
from tests.tiny_models import SPEC, features

if TYPE_CHECKING:
    from numpy.typing import NDArray


def music(folder: Path, *names: str) -> list[Path]:
    """A tune of four seconds in each of these files."""
    return [write_audio(folder / name, tune(4.0, 8000, seed=seed), 8000) for seed, name in enumerate(names)]


def measured(path: Path) -> dict[str, NDArray[np.float16]]:
    found = FrontEnd(SPEC)(read_windows(path, SPEC.decoding).windows)
    return {name: values.astype(np.float16) for name, values in found.items()}


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].astype(np.float32), values.astype(np.float32), atol=1e-2, rtol=1e-3)


class TestFiles:
    def test_every_file_comes_in_its_order_with_what_came_of_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = music(tmp_path, "one.wav", os.fsdecode(b"zw\xf6i.flac"))
        copy = tmp_path / "copy of one.wav"
        shutil.copy(one, copy)
        text = tmp_path / "text.mp3"
        text.write_bytes(b"no music\n" * 1000)
        paths = [one, text, copy, tmp_path / "missing.wav", two]
        with closing(SqliteCache(tmp_path / "cache", SPEC)) as cache:
            made = list(precompute(iter(paths), cache, SPEC, processes=2))
            assert [each.path for each in made] == paths
            assert [each.key for each in made] == [content_key(one), b"", content_key(one), b"", content_key(two)]
            errors = [str(each.error) for each in made if each.error]
            assert [error.split(":")[0] for error in errors] == [str(paths[1]), str(paths[3])]
            assert cache.keys() == {content_key(one), content_key(two)}
            same(cache.read(content_key(one)), measured(one))
            same(cache.read(content_key(two)), measured(two))
            monkeypatch.setattr(Extractor, "features", None)
            assert list(precompute([two, one], cache, SPEC)) == [
                Precomputed(two, content_key(two)),
                Precomputed(one, content_key(one)),
            ]

    def test_what_a_file_does_to_its_process_costs_that_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        harmful = """
import os, signal, sys
from resonance_engine.audio import windows as audio
sound = audio.read_windows
def read_windows(path, decoding):
    if path.stem == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.stem == "hang":
        signal.pause()
    if path.stem == "huge":
        raise MemoryError
    return sound(path, decoding)
audio.read_windows = read_windows
from resonance_engine.training.data import extractor
extractor.main()
"""
        command = Extractor.command

        def harmed(extractor: Extractor) -> list[str]:
            return [sys.executable, "-P", "-c", harmful, *command(extractor)[4:]]

        monkeypatch.setattr(Extractor, "command", harmed)
        crash, huge, fine, hang = music(tmp_path, "crash.wav", "huge.wav", "fine.wav", "hang.wav")
        cache = RamCache(SPEC)
        made = list(precompute([crash, huge, fine, hang], cache, SPEC, timeout=3.0))
        reasons = [each.error.reason if each.error else "" for each in made]
        assert reasons[0].startswith("decoding it crashed the decoder (SIGSEGV)")
        assert reasons[1:] == [
            "it needs more memory than there is", "", "it took longer than 3 s and was given up"
        ]  # fmt: skip
        assert cache.keys() == {content_key(fine)}

    def test_a_process_that_does_not_start_ends_the_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Extractor, "command", lambda _: [sys.executable, "-S", "-c", "raise SystemExit(3)"])
        with pytest.raises(ResonanceError, match=r"process that measures features does not start: .*exit status 3"):
            list(precompute([tmp_path / "any.wav"], RamCache(SPEC), SPEC))

    @pytest.mark.parametrize("views", [-1, 256])
    def test_impossible_numbers_of_views(self, views: int) -> None:
        with pytest.raises(ValueError, match="views"):
            AudioAugmentSettings(views=views)

    def test_a_cache_of_another_spec(self) -> None:
        with pytest.raises(ValueError, match="another spec"):
            next(precompute([], RamCache(SPEC), type(SPEC)()))


RUN = """
import sys
from pathlib import Path
from resonance_engine.training.data.cache import SqliteCache
from resonance_engine.training.data.precompute import precompute
from tests.tiny_models import SPEC
cache = SqliteCache(Path(sys.argv[1]), SPEC)
for made in precompute(map(Path, sys.argv[2:]), cache, SPEC):
    print(made.key.hex(), flush=True)
"""


def test_a_killed_run_is_taken_up_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = music(tmp_path, *(f"{song}.wav" for song in range(8)))
    run = subprocess.Popen(
        [sys.executable, "-P", "-c", RUN, str(tmp_path / "cache"), *map(str, paths)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stdout is not None
        told = [bytes.fromhex(run.stdout.readline().strip()) for _ in range(3)]
        os.kill(run.pid, signal.SIGKILL)
    with closing(SqliteCache(tmp_path / "cache", SPEC)) as cache:
        kept = cache.keys()
        assert kept >= set(told), "what was told to be done is kept"
        remeasured = []
        ask = Extractor.features

        def noted(extractor: Extractor, path: Path) -> list[dict[str, Any]]:
            remeasured.append(path)
            return ask(extractor, path)

        monkeypatch.setattr(Extractor, "features", noted)
        assert [each.error for each in precompute(paths, cache, SPEC)] == [None] * 8
        assert [content_key(path) for path in remeasured] == [
            content_key(path) for path in paths if content_key(path) not in kept
        ]
        for path in paths:
            same(cache.read(content_key(path)), measured(path))


VIEWS = AudioAugmentSettings(views=2)


def test_audio_views_are_features_of_changed_sound(tmp_path: Path) -> None:
    (path,) = music(tmp_path, "tune.wav")
    key = content_key(path)
    windows = read_windows(path, SPEC.decoding).windows
    expected = [FrontEnd(SPEC)(view) for view in augment_audio(windows, SPEC.decoding.rate, VIEWS, key)]
    cache = RamCache(SPEC)
    # Views that another version made are no views.
    cache.put(key, features(3))
    cache.put(view_key(key, 1), features(3), "an older one 0")
    assert [each.error for each in precompute([path], cache, SPEC, audio=VIEWS)] == [None]
    assert cache.keys() == {key}
    assert cache.keys(views_maker(VIEWS)) == {view_key(key, 1), view_key(key, 2)}
    same(cache.read(key), measured(path))
    for view, values in enumerate(expected, 1):
        same(cache.read(view_key(key, view)), values)
        assert np.abs(values["timbre"] - measured(path)["timbre"]).mean() > 0.5, "dB, as it is changed"


class StandIn:
    """An extractor that gives every file the same sound; the first time it fails if asked to."""

    maker = "a stand-in 1"

    def __init__(self, failing: bool = False, views: int = 0) -> None:
        self.failing = failing
        self.views = views
        self.asked: list[Path] = []
        self.begun = threading.Event()
        self.going_on = threading.Event()
        self.going_on.set()

    def identify(self, _: Path) -> bytes:
        return b"k" * 16

    def features(self, path: Path) -> list[dict[str, Any]]:
        self.asked.append(path)
        self.begun.set()
        assert self.going_on.wait(10)
        if self.failing and len(self.asked) == 1:
            raise AudioError(path, "it is broken")
        return [features(2, view) for view in range(1 + self.views)]


class TestRecorder:
    @pytest.mark.parametrize("failing", [False, True])
    def test_a_sound_that_is_at_work_is_waited_for(self, failing: bool) -> None:
        extractor: Any = StandIn(failing)
        extractor.going_on.clear()
        recorder = Recorder(RamCache(SPEC), 0)
        came: dict[str, object] = {}

        def record(name: str) -> None:
            try:
                came[name] = recorder.record(extractor, Path(name))
            except AudioError as error:
                came[name] = error.reason

        threads = [threading.Thread(target=record, args=(name,)) for name in ("first", "second")]
        threads[0].start()
        assert extractor.begun.wait(10)
        threads[1].start()
        threads[1].join(0.1)
        assert extractor.asked == [Path("first")], "the second waits"
        extractor.going_on.set()
        for thread in threads:
            thread.join(10)
        assert came == {"first": "it is broken" if failing else b"k" * 16, "second": b"k" * 16}
        assert extractor.asked == [Path("first"), Path("second")][: 1 + failing]

    def test_a_sound_is_complete_with_all_its_views(self) -> None:
        cache = RamCache(SPEC)
        extractors: list[Any] = [StandIn(views=views) for views in (0, 1, 1, 2, 1)]
        for extractor in extractors:
            Recorder(cache, extractor.views).record(extractor, Path("song"))
        assert [len(extractor.asked) for extractor in extractors] == [1, 1, 0, 1, 0]
        assert cache.keys(StandIn.maker) == {view_key(b"k" * 16, 1), view_key(b"k" * 16, 2)}

    def test_views_that_are_there_stay_known_when_others_come_first(self) -> None:
        cache = RamCache(SPEC)
        cache.put(b"old", features(1))
        cache.put(view_key(b"old", 1), features(1), StandIn.maker)
        recorder = Recorder(cache, 1)
        extractor: Any = StandIn(views=1)
        recorder.record(extractor, Path("new"))
        assert recorder.is_complete(b"old", StandIn.maker)

    def test_after_the_end_nothing_is_written(self) -> None:
        cache: FeatureCache = RamCache(SPEC)
        recorder = Recorder(cache, 0)
        recorder.stop()
        extractor: Any = StandIn()
        with pytest.raises(ResonanceError, match="stopped"):
            recorder.record(extractor, Path("song"))
        assert cache.keys() == set()


def test_ending_early_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = music(tmp_path, "one.wav", "two.wav")
    children: list[Extractor] = []

    class Noted(Extractor):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            children.append(self)

    monkeypatch.setattr(precompute_module, "Extractor", Noted)
    run: Any = precompute(paths, RamCache(SPEC), SPEC)
    assert next(run).path == paths[0]
    assert [each.child is not None for each in children] == [True]
    run.close()
    assert [each.child for each in children] == [None]
