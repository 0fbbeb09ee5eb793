"""Many windows at a time give what one song at a time gives, and leave the network as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.evaluation.metrics import average_precision, ranked_relevance
from resonance_engine.training.data.songs import Song
from resonance_engine.training.results import validation
from resonance_engine.training.results.validation import (
    embed_windows,
    embed_with,
    make_validation,
    related_songs,
    select_evaluated,
)
from tests.tiny_networks import Exported, tiny_network
from tests.training.window_sets import make_window_set, song_windows

if TYPE_CHECKING:
    from resonance_engine.training.data.dataset import WindowSet

SONGS = 12


@pytest.fixture
def windows() -> WindowSet:
    return make_window_set(SONGS)


def songs(artists: list[str], albums: list[str]) -> list[Song]:
    return [
        Song(Path(f"{i}.flac"), f"title {i}", artist, album)
        for i, (artist, album) in enumerate(zip(artists, albums, strict=True))
    ]


@pytest.mark.parametrize("batch", [5, 64])
def test_it_is_what_the_encoder_hears(
    exported: dict[str, Exported], windows: WindowSet, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "PROCESSOR_BATCH", batch)
    found = embed_windows(tiny_network(), windows)
    encoder = Encoder(exported["gated_add"].weights)
    assert (found.tracks.shape, found.facets.shape, found.gates.shape) == ((SONGS, 16), (SONGS, 3, 16), (SONGS, 3))
    for song in range(SONGS):
        rounded = {name: x.astype(np.float16).astype(np.float32) for name, x in song_windows(song).items()}
        heard = encoder.embed(rounded)
        np.testing.assert_allclose(found.tracks[song], heard.vector, atol=1e-5)
        np.testing.assert_allclose(found.facets[song], list(heard.facets.values()), atol=1e-5)
        np.testing.assert_allclose(found.gates[song], list(heard.gates.values()), atol=1e-5)
        np.testing.assert_allclose(found.windows[windows.song == song], heard.windows.vectors, atol=1e-5)


def test_an_exported_model_gives_the_same(exported: dict[str, Exported], windows: WindowSet) -> None:
    fixed = exported["gated_concat"]
    found = embed_with(OnnxBackend(fixed.onnx).run, windows)
    expected = embed_windows(tiny_network("gated_concat"), windows)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_stays_in_its_mode_and_learns_nothing(windows: WindowSet, training: bool) -> None:
    network = tiny_network().train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    embed_windows(network, windows)
    assert network.training is training
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


class TestValidation:
    NAMES = ("recall@1", "recall@5", "recall@10", "recall@20", "mrr", "map", "segment_recall")

    def test_songs_are_asked_for_their_album_and_artist(self, windows: WindowSet) -> None:
        known = songs(["a", "a", "b", "b"] + [""] * 8, ["", "x", "x", ""] + [""] * 8)
        network = tiny_network().train()
        found = make_validation(windows, known)(network)
        assert tuple(found) == self.NAMES
        assert network.training
        relevance = related_songs(known)
        pairs = {(i, j) for i, j in np.argwhere(relevance.relevant).tolist() if i < j}
        assert pairs == {(0, 1), (1, 2), (2, 3)}
        tracks = embed_windows(network, windows).tracks.astype(np.float64)
        hits, _ = ranked_relevance(tracks @ tracks.T, relevance)
        assert found["map"] == pytest.approx(np.nanmean(average_precision(hits)), abs=1e-6)

    def test_pairs_belong_together(self) -> None:
        known = [replace(song, identity="p") for song in songs([""] * 3, [""] * 3)]
        assert related_songs(known).relevant.sum() == 6

    def test_without_metadata_windows_are_asked_for_their_song(self, windows: WindowSet) -> None:
        found = make_validation(windows, songs([""] * SONGS, [""] * SONGS))(tiny_network())
        assert found["recall@1"] == found["segment_recall"] > 0.5
        assert not any(np.isnan(value) for value in found.values())

    def test_of_very_many_windows_whole_songs_are_ranked(
        self, windows: WindowSet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "RANKED_LIMIT", 4)
        assert validation.select_first_songs(windows.song).tolist() == [0, 1, 2, 3, 4, 5]

    def test_of_very_many_songs_albums_are_asked(self, windows: WindowSet, monkeypatch: pytest.MonkeyPatch) -> None:
        known = songs(["x"] * SONGS, [f"album {i // 2}" for i in range(SONGS)])
        assert select_evaluated(known) == list(range(SONGS))
        monkeypatch.setattr(validation, "RANKED_LIMIT", 6)
        chosen = select_evaluated(known)
        assert len(chosen) == 6
        assert {known[i].album for i in chosen} == {f"album {i // 2}" for i in chosen}
        assert all((i ^ 1) in chosen for i in chosen)
        part = make_validation(windows.subset(chosen), [known[i] for i in chosen])
        assert make_validation(windows, known)(tiny_network()) == part(tiny_network())
