"""A model learns from somebody's own songs, within the time that it was given, and leaves everything else as it was."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import ConfigError, ModelError, TrainingError
from resonance_engine.evaluation.metrics import query_scores, same_label
from resonance_engine.network.files import load_network, save_network
from resonance_engine.training import finetune
from resonance_engine.training.data.cache import RamCache, SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.songs import Song
from resonance_engine.training.finetune import FEWEST_SONGS, adapt, compute_features, count_embeddable, fine_tune
from resonance_engine.training.results.validation import embed_windows
from tests.tiny_models import MANIFEST, SPEC
from tests.tiny_networks import tiny_network
from tests.training.synthetic_albums import write_albums
from tests.training.window_sets import make_window_set, song_windows

if TYPE_CHECKING:
    from pathlib import Path

ARTISTS, SONGS = 6, 2


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Song]:
    folder = write_albums(tmp_path_factory.mktemp("music"), ARTISTS, SONGS, 3.0)
    return [Song(path, path.stem, path.parent.parent.name, path.parent.name) for path in sorted(folder.rglob("*.flac"))]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(tiny_network(), MANIFEST, path)
    return path


def test_the_whole_of_it(songs: list[Song], model: Path, tmp_path: Path) -> None:
    content = model.read_bytes()
    lines: list[str] = []
    tuned = fine_tune(model, songs, tmp_path / "cache", 60.0, 1, lines.append)
    assert model.read_bytes() == content
    before = load_network(model)[0].state_dict()
    after = tuned.network.state_dict()
    assert all(torch.equal(values, after[name]) for name, values in before.items())
    assert after.keys() - before.keys() == {"metric.weight"}
    assert tuned.manifest == replace(load_network(model)[1], id="", metric=True)
    assert tuned.judgement.verdict == "cannot tell"
    assert 0 <= tuned.judgement.before["segment recall"] <= 1
    assert lines[0] == "10 tracks to learn from, 2 to judge by"

    own = tmp_path / "own.safetensors"
    saved = save_network(tuned.network, tuned.manifest, own)
    assert saved.id != load_network(model)[1].id
    assert torch.equal(load_network(own)[0].state_dict()["metric.weight"], after["metric.weight"])

    again = fine_tune(model, songs, tmp_path / "cache", 60.0, 1, lines.append)
    assert again.judgement == tuned.judgement


def test_a_large_library_is_listened_to_for_a_while_only(songs: list[Song], tmp_path: Path) -> None:
    lines: list[str] = []
    cache = SqliteCache(tmp_path, SPEC)
    try:
        known, keys = compute_features(songs, cache, SPEC, 1, time.monotonic(), lines.append)
        assert len(known) == len(keys) == 1
        assert lines == ["no time to analyse all: 1 of 12 tracks are used"]
        known, keys = compute_features(songs, cache, SPEC, 1, time.monotonic() + 60, lines.append)
        assert sorted(song.path for song in known) == sorted(song.path for song in songs)
        assert len(set(keys)) == len(songs)
        artists = [song.artist for song in known]
        assert all(artists[i] == artists[i + 1] for i in range(0, len(artists), SONGS)), "whole albums, one by one"
    finally:
        cache.close()


def test_songs_that_are_measured_already_take_time_too(
    songs: list[Song], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of the songs is embedded twice, all others once: 80 songs, where 100 times fit into the time."""
    clock = [0.0]

    def slow(_: object, windows: WindowSet) -> None:
        clock[0] += 0.5 * len(windows)

    monkeypatch.setattr(finetune, "embed_windows", slow)
    monkeypatch.setattr(finetune, "FEWEST_SONGS", 3)
    monkeypatch.setattr(finetune.time, "monotonic", lambda: clock[0])
    probe = make_window_set(songs=4)
    assert count_embeddable(tiny_network(), probe, 4.0 + 50.0) == 80
    assert count_embeddable(tiny_network(), probe, 0.0) == 3

    monkeypatch.undo()
    lines: list[str] = []
    monkeypatch.setattr(finetune, "count_embeddable", lambda *_: 8)
    fine_tune(model, songs, tmp_path / "cache", 60.0, 1, lines.append)
    assert lines == ["no time to learn from all: 8 of 12 tracks are used", "6 tracks to learn from, 2 to judge by"]
    assert len(songs) < FEWEST_SONGS, "a small library is used as a whole"


def test_copies_and_broken_files_are_left_out(songs: list[Song], tmp_path: Path) -> None:
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"no music")
    copy = tmp_path / "copy.flac"
    copy.write_bytes(songs[0].path.read_bytes())
    others = [replace(songs[0], path=broken), replace(songs[0], path=copy)]
    cache = SqliteCache(tmp_path / "cache", SPEC)
    try:
        known, _ = compute_features([*songs[:2], *others], cache, SPEC, 1, time.monotonic() + 60, lambda _: None)
        assert len(known) == 2
        with pytest.raises(TrainingError, match="None of 1 tracks can be analysed"):
            compute_features(others[:1], cache, SPEC, 1, time.monotonic() + 60, lambda _: None)
    finally:
        cache.close()


def test_what_cannot_be_done_is_a_sentence(songs: list[Song], model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing can be held out"):
        fine_tune(model, songs[:2], tmp_path / "cache", 1.0, 1, lambda _: None)
    with pytest.raises(ModelError, match="not a readable weights file"):
        fine_tune(tmp_path / "none.safetensors", songs, tmp_path / "cache", 1.0, 1, lambda _: None)


def test_the_original_is_not_touched() -> None:
    network, windows = tiny_network(), make_window_set()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    once = adapt(network, windows)
    assert once.metric is not None
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    kept = once.metric.weight.clone()
    twice = adapt(once, windows)
    assert torch.equal(once.metric.weight, kept)
    assert twice.metric is not None
    assert not torch.equal(twice.metric.weight, kept)


def test_songs_of_an_album_come_closer() -> None:
    """What differs between the songs of known albums counts less between songs of unknown ones, too."""
    network, known, unknown = tiny_network(), noisy_albums(seed=1), noisy_albums(seed=2)
    before, after = (embed_windows(each, unknown).tracks for each in (network, adapt(network, known)))
    album = np.repeat(np.arange(len(unknown) // 4), 4)
    relevance = same_label([str(each) for each in album])
    found = [query_scores(tracks, relevance)["map"].mean() for tracks in (before, after)]
    assert found[1] > found[0] + 0.02


def noisy_albums(seed: int, albums: int = 40, songs: int = 4) -> WindowSet:
    """Albums with a timbre of their own, whose songs have another harmony each."""
    cache, keys, names = RamCache(SPEC), [], []
    random = np.random.default_rng(seed)
    for album in range(albums):
        base = song_windows(album, seed=seed)
        for song in range(songs):
            other = song_windows(album * songs + song, seed=seed + 100)
            timbre = base["timbre"] + 4 * random.standard_normal(base["timbre"].shape).astype(np.float32)
            keys.append(bytes([album, song]) * 8)
            names.append(str(album))
            cache.put(keys[-1], {"timbre": timbre, "harmony": other["harmony"], "rhythm": base["rhythm"]})
    return WindowSet(cache, keys, [key.hex() for key in keys], names)
