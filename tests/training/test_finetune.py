"""A model learns from the embeddings of somebody's own songs, and leaves everything else as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import ConfigError, ModelError
from resonance_engine.evaluation.metrics import query_scores, same_label
from resonance_engine.network.files import load_network, save_network
from resonance_engine.training.data.cache import RamCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.songs import Song
from resonance_engine.training.data.splits import HELD_OUT, SEED, order_songs, split_songs
from resonance_engine.training.finetune import adapt, fine_tune
from resonance_engine.training.results.validation import embed_windows, score_held_out
from tests.tiny_models import MANIFEST, SPEC
from tests.tiny_networks import tiny_network
from tests.training.window_sets import make_window_set, song_windows

ALBUMS, SONGS = 12, 4


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    """Compilations: every song of an album is by another artist."""
    return [
        Song(Path(f"/{album}/{number}"), f"{number}", f"artist {album}.{number}", f"album {album}", "Various Artists")
        for album in range(ALBUMS)
        for number in range(SONGS)
    ]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(tiny_network(), MANIFEST, path)
    return path


def embeddings(model: Path, windows: WindowSet) -> list[np.ndarray]:
    """The embeddings of each song's windows by a model."""
    return np.split(embed_windows(load_network(model)[0], windows).windows, windows.first[1:-1])


def test_the_whole_of_it(songs: list[Song], model: Path, tmp_path: Path) -> None:
    content, windows = model.read_bytes(), noisy_albums(seed=1, albums=ALBUMS, songs=SONGS)
    tuned = fine_tune(model, songs, embeddings(model, windows))
    assert model.read_bytes() == content
    before = load_network(model)[0].state_dict()
    after = tuned.network.state_dict()
    assert all(torch.equal(values, after[name]) for name, values in before.items())
    assert after.keys() - before.keys() == {"metric.weight"}
    assert tuned.manifest == replace(load_network(model)[1], id="", metric=True)
    assert tuned.judgement.verdict == "cannot tell"
    assert 0 <= tuned.judgement.before["segment recall"] <= 1
    assert (tuned.learned, tuned.judged) == (36, 12)

    own = tmp_path / "own.safetensors"
    saved = save_network(tuned.network, tuned.manifest, own)
    assert saved.id != load_network(model)[1].id
    assert torch.equal(load_network(own)[0].state_dict()["metric.weight"], after["metric.weight"])
    assert fine_tune(model, songs, embeddings(model, windows)).judgement == tuned.judgement


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_judged_is_what_the_new_model_gives(songs: list[Song], model: Path, tmp_path: Path, times: int) -> None:
    """The map is applied to stored embeddings, of a model that may have one already."""
    windows = noisy_albums(seed=1, albums=ALBUMS, songs=SONGS)
    original = embeddings(model, windows)
    for number in range(times):
        tuned = fine_tune(model, songs, embeddings(model, windows))
        model = tmp_path / f"{number}.safetensors"
        save_network(tuned.network, tuned.manifest, model)
    _, apart = split_songs(songs, HELD_OUT, SEED)
    given = embeddings(model, windows)
    after = score_held_out([given[place] for place in apart], [songs[place] for place in apart])
    assert after.means() == pytest.approx(tuned.judgement.after, nan_ok=True, abs=1e-6)
    assert not np.allclose(given[0], original[0], atol=1e-2)


def test_rounding_of_stored_embeddings_changes_no_verdict(songs: list[Song], model: Path) -> None:
    windows = embeddings(model, noisy_albums(seed=1, albums=ALBUMS, songs=SONGS))
    exact = fine_tune(model, songs, windows).judgement
    stored = fine_tune(model, songs, [each.astype(np.float16).astype(np.float32) for each in windows]).judgement
    assert stored.verdict == exact.verdict
    assert stored.after == pytest.approx(exact.after, nan_ok=True, abs=0.02)


def test_a_part_of_the_songs_is_of_whole_albums(songs: list[Song]) -> None:
    names = [songs[place].album for place in order_songs(songs)]
    assert [names[place] for place in range(0, len(names), SONGS)] == list(dict.fromkeys(names))
    assert names != sorted(names)


def test_what_cannot_be_done_is_a_sentence(songs: list[Song], model: Path, tmp_path: Path) -> None:
    windows = [np.eye(2, dtype=np.float32)] * len(songs)
    with pytest.raises(ConfigError, match="Nothing can be held out"):
        fine_tune(model, songs[:2], windows[:2])
    with pytest.raises(ModelError, match="not a readable weights file"):
        fine_tune(tmp_path / "none.safetensors", songs, windows)


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
