"""From settings to songs whose features are there: what is listened to, and what is not again."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
for name in ("torch", "yaml"):
    pytest.importorskip(name)

from resonance_engine.errors import AudioError, TrainingError
from resonance_engine.training.config.config_file import change
from resonance_engine.training.config.settings import AudioAugmentSettings, Config
from resonance_engine.training.data import training_data as materials
from resonance_engine.training.data.cache import RamCache
from resonance_engine.training.data.extractor import view_key, views_maker
from resonance_engine.training.data.precompute import NO_VIEWS, Precomputed
from resonance_engine.training.data.songs import Song
from resonance_engine.training.data.training_data import KNOWN_FILES, KnownFiles, TrainingData, compute_features

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONFIG = change(Config(), {"features.mel.n_mels": 16, "data.segment.seconds": 8})


class Ears:
    """In the place of child processes: a file's content is its sound, and "noise" is none; remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(
        self, paths: Sequence[Path], cache: Any, spec: Any, _: int, audio: AudioAugmentSettings = NO_VIEWS
    ) -> Iterator[Precomputed]:
        for path in paths:
            self.heard.append(path.name)
            key = path.read_bytes().ljust(16, b".")
            if key.startswith(b"noise"):
                yield Precomputed(path, b"", AudioError(path, "it holds no audio"))
                continue
            shapes = {name: each.shape(spec.decoding) for name, each in spec.modalities.items()}
            features = {name: np.zeros((1, *shape), np.float16) for name, shape in shapes.items()}
            cache.put(key, features)
            for view in range(audio.views):
                cache.put(view_key(key, view + 1), features, views_maker(audio))
            yield Precomputed(path, key)


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    made = Ears()
    monkeypatch.setattr(materials, "precompute", made)
    return made


def listened(
    folder: Path, ears: Ears, cache: RamCache, files: dict[str, str], config: Config = CONFIG
) -> tuple[list[str], list[str]]:
    """The names of the files that have a key in the end, and of those that were listened to for it."""
    songs = []
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
        songs.append(Song(path, "", "", ""))
    ears.heard.clear()
    told: list[Precomputed] = []
    keys = compute_features(songs, cache, KnownFiles(folder), config, 1, lambda made, _: told.append(made))
    assert sorted(made.path.name for made in told) == sorted(files)
    return [path.name for path in keys], list(ears.heard)


def test_only_files_that_are_new_or_changed_are_listened_to(tmp_path: Path, ears: Ears) -> None:
    files = {"a": "Aria", "b": "Ballad", "c": "Aria", "d": "noise"}
    cache = RamCache(CONFIG.spec)
    assert listened(tmp_path, ears, cache, files) == (["a", "b"], ["a", "b", "c", "d"])
    assert listened(tmp_path, ears, cache, files) == (["a", "b"], ["d"])
    assert listened(tmp_path, ears, cache, {**files, "b": "Blues!", "e": "Etude"}) == (["a", "b", "e"], ["b", "d", "e"])
    (tmp_path / "a").write_text("Aria")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert listened(tmp_path, ears, cache, {"a": "Aria"}) == (["a"], ["a"])


def test_what_the_cache_has_lost_is_listened_to_again(tmp_path: Path, ears: Ears) -> None:
    files = {"a": "Aria", "b": "Ballad"}
    cache = RamCache(CONFIG.spec)
    listened(tmp_path, ears, cache, files)
    assert listened(tmp_path, ears, RamCache(CONFIG.spec), files) == (["a", "b"], ["a", "b"])
    views = change(CONFIG, {"augment.audio.views": 2})
    assert listened(tmp_path, ears, cache, files, views) == (["a", "b"], ["a", "b"])
    assert listened(tmp_path, ears, cache, files, views) == (["a", "b"], [])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 2, "files": {}}', '{"format": 1, "files": {"a": [1]}}']
)
def test_a_table_that_cannot_be_read_costs_time_alone(tmp_path: Path, ears: Ears, content: str) -> None:
    cache = RamCache(CONFIG.spec)
    listened(tmp_path, ears, cache, {"a": "Aria"})
    (tmp_path / KNOWN_FILES).write_text(content)
    assert listened(tmp_path, ears, cache, {"a": "Aria"}) == (["a"], ["a"])
    assert listened(tmp_path, ears, cache, {"a": "Aria"}) == (["a"], [])


def test_what_was_identified_is_kept_when_it_ends_early(tmp_path: Path, ears: Ears) -> None:
    cache = RamCache(CONFIG.spec)
    songs = []
    for name in "abc":
        (tmp_path / name).write_text(name)
        songs.append(Song(tmp_path / name, "", "", ""))

    def stop(made: Precomputed, _: int) -> None:
        if made.path.name == "c":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_features(songs, cache, KnownFiles(tmp_path), CONFIG, 1, stop)
    assert listened(tmp_path, ears, cache, {"a": "a", "b": "b", "c": "c"}) == (["a", "b", "c"], ["c"])


def test_nothing_but_noise_is_one_sentence(tmp_path: Path, ears: Ears) -> None:
    with pytest.raises(TrainingError, match="None of the 2 songs can be analysed"):
        listened(tmp_path, ears, RamCache(CONFIG.spec), {"a": "noise", "b": "noise"})


def test_the_digest_names_the_music_and_what_is_held_out_and_not_the_files(tmp_path: Path) -> None:
    songs = [Song(tmp_path / name, "", "", "") for name in "abcd"]
    keys = [bytes([number]) * 16 for number in range(4)]
    made = TrainingData(CONFIG, RamCache(CONFIG.spec), songs, keys, [0, 1], [2, 3])
    elsewhere = [Song(tmp_path / "other" / name, "", "", "") for name in "abcd"]
    assert made.digest == replace(made, songs=elsewhere).digest
    assert made.digest == replace(made, keys=keys[::-1], training=[3, 2], held_out=[1, 0]).digest
    assert made.digest != replace(made, training=[0, 2], held_out=[1, 3]).digest
    assert made.digest != replace(made, training=[2, 3], held_out=[0, 1]).digest
    assert made.digest != replace(made, keys=[*keys[:3], b"x" * 16]).digest


def test_the_digest_tells_what_belongs_together_and_not_what_it_is_called(tmp_path: Path) -> None:
    keys = [bytes([number]) * 16 for number in range(4)]

    def digest(*names: tuple[str, str, str]) -> str:
        songs = [
            Song(tmp_path / str(place), "", artist, album, identity=identity)
            for place, (artist, album, identity) in enumerate(names)
        ]
        return TrainingData(CONFIG, RamCache(CONFIG.spec), songs, keys, [0, 1], [2, 3]).digest

    alone = digest(("a", "", ""), ("b", "", ""), ("c", "", ""), ("d", "", ""))
    one_artist = digest(("a", "", ""), ("a", "", ""), ("c", "", ""), ("d", "", ""))
    one_album = digest(("a", "x", ""), ("a", "x", ""), ("c", "", ""), ("d", "", ""))
    renamed = digest(("A", "y", ""), ("A", "y", ""), ("C", "", ""), ("D", "", ""))
    pair = digest(("a", "", "p"), ("b", "", "p"), ("c", "", ""), ("d", "", ""))
    assert len({alone, one_artist, one_album, pair}) == 4
    assert renamed == one_album


def test_without_a_folder_files_are_known_as_long_as_the_table(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("Aria")
    known = KnownFiles()
    assert known.keys([path]) == {}
    known.add({path: b"key"})
    assert known.keys([path]) == {path: b"key"}
    path.write_text("another")
    assert known.keys([path]) == {}
