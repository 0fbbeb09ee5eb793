"""Windows of songs, from a feature cache to batches of views."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import CacheError
from resonance_engine.features.spec import FeatureSpec, Framing, RhythmSpec, SemanticSpec
from resonance_engine.training.config.settings import AugmentSettings
from resonance_engine.training.data.cache import FeatureCache, RamCache, SqliteCache
from resonance_engine.training.data.dataset import Batch, WindowSet
from tests.tiny_models import SPEC
from tests.training.window_sets import (
    GROUPS,
    KEYS,
    OFF,
    SONGS,
    fill_cache,
    labelled_features,
    make_window_set,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


FRAMES = 50
SEMANTIC = SemanticSpec(Framing(rate=8000, n_fft=256, hop=128, n_mels=16))


@pytest.fixture
def cache() -> FeatureCache:
    return fill_cache(RamCache(SPEC))


@pytest.fixture
def windows(cache: FeatureCache) -> WindowSet:
    return WindowSet(cache, KEYS, SONGS, GROUPS)


def songs_heard(batch: Batch) -> list[int]:
    return [int(value) // 100 % 10 for value in batch.features["rhythm"][:, 0]]


def same_batches(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    assert [batch.songs.tolist() for batch in first] == [batch.songs.tolist() for batch in second]
    assert [batch.groups.tolist() for batch in first] == [batch.groups.tolist() for batch in second]
    for one, other in zip(first, second, strict=True):
        assert one.features.keys() == other.features.keys()
        for name, values in one.features.items():
            assert torch.equal(values, other.features[name])


class TestWindowSet:
    def test_each_window_knows_its_song(self, windows: WindowSet) -> None:
        assert len(windows) == 5
        assert windows.song.tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 4, 4]
        assert windows.first.tolist() == [0, 2, 3, 6, 8, 10]
        rows = windows.rows(range(10))
        assert (rows["rhythm"][:, 0] // 100).tolist() == windows.song.tolist()
        assert {name: (x.shape, x.dtype) for name, x in rows.items()} == {
            name: ((10, *each.shape(SPEC.decoding)), np.dtype(np.float32)) for name, each in SPEC.modalities.items()
        }

    def test_rows_come_as_they_are_asked_for(self, windows: WindowSet) -> None:
        assert windows.rows([9, 2, 2])["timbre"][:, 0, 7].tolist() == [417, 107, 107]

    def test_groups_and_identities_are_those_of_the_songs(self, cache: FeatureCache) -> None:
        windows = WindowSet(cache, KEYS, GROUPS, SONGS)
        same = windows.identity[:, None] == windows.identity[None, :]
        assert same.tolist() == [[a == b for b in GROUPS] for a in GROUPS]
        assert windows.group.tolist() == [0, 1, 2, 3, 4]

    def test_a_part_is_the_set_of_some_songs(self, windows: WindowSet) -> None:
        part = windows.subset([3, 1]).subset(np.array([1, 0])).subset([1, 0])
        assert len(part) == 2
        assert part.rows([0, 1, 2])["rhythm"][:, 0].tolist() == [300, 310, 100]
        assert part.song.tolist() == [0, 0, 1]
        assert part.first.tolist() == [0, 2, 3]
        assert part.group.tolist() == windows.group[[3, 1]].tolist()
        assert part.identity.tolist() == windows.identity[[3, 1]].tolist()
        assert part.source is windows.source, "features are not copied"
        heard = [song for batch in part.epoch(2, 4, 5, OFF, 0, 0) for song in songs_heard(batch)]
        assert set(heard) == {1, 3}

    def test_nothing_is_no_training_set(self, cache: FeatureCache) -> None:
        with pytest.raises(ValueError, match="at least one song"):
            WindowSet(cache, [], [], [])

    def test_more_than_the_memory_is_not_preloaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            fill_cache(cache)
            monkeypatch.setattr(os, "sysconf", lambda name: 100 if name == "SC_PAGE_SIZE" else 200)
            with pytest.raises(CacheError, match=r"features take .* GB of memory; set cache.preload_ram to false"):
                WindowSet(cache, KEYS, SONGS, GROUPS)
            assert len(WindowSet(cache, KEYS, SONGS, GROUPS, preload=False)) == 5

    def test_what_is_in_memory_is_not_copied_there(self, windows: WindowSet) -> None:
        assert windows.source.kept is None


class TestEpoch:
    def test_views_belong_to_their_song_and_group(self, windows: WindowSet) -> None:
        for batch in windows.epoch(2, 3, 5, OFF, 0, 0):
            assert songs_heard(batch) == batch.songs.tolist()
            assert batch.groups.tolist() == windows.group[batch.songs.numpy()].tolist()
            assert set(Counter(batch.songs.tolist()).values()) == {3}

    def test_views_are_cut_at_the_same_time_in_one_window(self, windows: WindowSet) -> None:
        batches = [batch for epoch in range(6) for batch in windows.epoch(5, 20, 45, OFF, 0, epoch)]
        timbre, harmony, rhythm = (torch.cat([x.features[name] for x in batches]) for name in SPEC.modalities)
        songs = torch.cat([batch.songs for batch in batches])
        assert (timbre.shape, harmony.shape, timbre.dtype) == ((600, 20, 45), (600, 12, 45), torch.float32)
        assert torch.equal(harmony, timbre[:, :12])
        torch.testing.assert_close(timbre[:, 0, 1:] - timbre[:, 0, :-1], torch.ones(600, 44))
        starts = timbre[:, 0, 0] - rhythm[:, 0]
        assert set(starts.tolist()) == set(range(6))
        assert set(rhythm[songs == 2, 0].tolist()) == {200, 210, 220}

    @pytest.mark.parametrize(
        ("songs", "sizes"), [(5, [5]), (3, [3, 2]), (2, [2, 2, 1]), (4, [4]), (64, [5]), (1, [1] * 5)]
    )
    def test_what_is_left_over_is_a_batch_if_it_is_half_of_one(
        self, windows: WindowSet, songs: int, sizes: list[int]
    ) -> None:
        batches = [sorted(set(batch.songs.tolist())) for batch in windows.epoch(songs, 2, 4, OFF, 0, 0)]
        assert [len(batch) for batch in batches] == sizes
        drawn = [song for batch in batches for song in batch]
        assert len(set(drawn)) == len(drawn)

    def test_a_cut_is_at_most_the_window(self, windows: WindowSet) -> None:
        (batch,) = windows.epoch(5, 2, 300, OFF, 0, 0)
        assert batch.features["timbre"].shape[-1] == FRAMES

    def test_a_set_without_timed_features(self) -> None:
        windows = WindowSet(fill_cache(RamCache(replace(SPEC, timbre=None, harmony=None))), KEYS, SONGS, GROUPS)
        (batch,) = windows.epoch(5, 2, 3, OFF, 0, 0)
        assert batch.features["rhythm"].shape == (10, 32)
        assert list(batch.features) == ["rhythm"]


class TestFramings:
    """Modalities of different framings: 50 frames a second, and 62.5 of semantic, of which a window of 1 s has 62."""

    def batches(self, spec: FeatureSpec, frames: int, augment: AugmentSettings = OFF) -> dict[str, torch.Tensor]:
        windows = WindowSet(fill_cache(RamCache(spec)), KEYS, SONGS, GROUPS)
        batches = [batch for epoch in range(6) for batch in windows.epoch(5, 20, frames, augment, 0, epoch)]
        return {name: torch.cat([batch.features[name] for batch in batches]) for name in spec.modalities}

    @pytest.mark.parametrize(("frames", "semantic_frames"), [(1, 1), (4, 5), (33, 41), (45, 56), (50, 62), (300, 62)])
    def test_they_are_cut_at_the_same_time(self, frames: int, semantic_frames: int) -> None:
        cut = self.batches(replace(SPEC, semantic=SEMANTIC), frames)
        assert cut["semantic"].shape == (600, 16, semantic_frames)
        timbre, semantic = (cut[name][:, 0] - cut["rhythm"][:, :1] for name in ("timbre", "semantic"))
        # Their first and last frames, in seconds, are half a frame of the coarser one apart at most.
        for edge in (0, -1):
            assert (timbre[:, edge] / 50 - semantic[:, edge] / 62.5).abs().max() <= 0.02
        assert set(timbre[:, 0].tolist()) == set(range(max(1, 51 - frames)))
        torch.testing.assert_close(semantic[:, 1:] - semantic[:, :-1], torch.ones(600, semantic_frames - 1))

    def test_a_further_modality_changes_nothing_that_the_others_get(self) -> None:
        augment = AugmentSettings(gain_db=6, pitch_semitones=0.5, tempo_percent=3, mix=0.3, codec=0.5)
        made = []
        for spec in (SPEC, replace(SPEC, semantic=SEMANTIC)):
            cache = RamCache(spec)
            for song, key in enumerate(KEYS):
                cache.put(key, {name: values / 10 - 60 for name, values in labelled_features(song, 2, spec).items()})
            made.append(list(WindowSet(cache, KEYS, SONGS, GROUPS).epoch(5, 4, 20, augment, 0, 0)))
        for usual, wider in zip(*made, strict=True):
            for name, values in usual.features.items():
                assert values.isfinite().all()
                assert torch.equal(values, wider.features[name])

    @pytest.mark.parametrize("rhythm", [None, SPEC.rhythm])
    def test_semantic_needs_no_timbre(self, rhythm: RhythmSpec | None) -> None:
        cut = self.batches(replace(SPEC, timbre=None, harmony=None, rhythm=rhythm, semantic=SEMANTIC), 20)
        frames = 20 if rhythm is None else 25  # counted by the first modality's framing
        assert cut["semantic"].shape == (600, 16, frames)
        assert len(set(cut["semantic"][:, 0, 0].tolist())) > 100

    def test_different_framings_of_the_usual_modalities(self) -> None:
        assert SPEC.harmony is not None
        coarse = Framing(rate=8000, n_fft=512, hop=320, n_mels=20)
        cut = self.batches(replace(SPEC, harmony=replace(SPEC.harmony, framing=coarse)), 20)
        assert cut["harmony"].shape == (600, 12, 10)
        timbre, harmony = (cut[name][:, 0, 0] - cut["rhythm"][:, 0] for name in ("timbre", "harmony"))
        assert torch.equal(harmony, (timbre / 2).round())


class TestRandomness:
    def test_an_epoch_hangs_on_its_number_alone(self, windows: WindowSet, cache: FeatureCache) -> None:
        every = [list(windows.epoch(2, 2, 20, AugmentSettings(), 7, epoch)) for epoch in range(3)]
        resumed = WindowSet(cache, KEYS, SONGS, GROUPS)
        same_batches(list(resumed.epoch(2, 2, 20, AugmentSettings(), 7, 2)), every[2])
        orders = {tuple(song for batch in epoch for song in batch.songs.tolist()) for epoch in every}
        assert len(orders) == 3

    def test_other_seeds_and_epochs_give_other_views(self, windows: WindowSet) -> None:
        def first_frames(seed: int, epoch: int) -> dict[int, list[float]]:
            (batch,) = windows.epoch(5, 4, 20, OFF, seed, epoch)
            return {song: batch.features["timbre"][batch.songs == song, 0, 0].tolist() for song in range(5)}

        drawn = [first_frames(*numbers) for numbers in ((0, 0), (0, 1), (1, 0), (1, 1))]
        for one in range(4):
            for other in range(one):
                assert all(drawn[one][song] != drawn[other][song] for song in range(5))
        assert len({tuple(frames) for frames in drawn[0].values()}) == 5

    def test_the_size_of_batches_changes_no_view(self, windows: WindowSet) -> None:
        def views(songs: int) -> dict[int, list[list[float]]]:
            batches = list(windows.epoch(songs, 2, 20, AugmentSettings(), 0, 0))
            return {int(s): b.features["timbre"][b.songs == s].flatten(1).tolist() for b in batches for s in b.songs}

        assert views(5) == views(1)

    @pytest.mark.parametrize("preload", [True, False])
    def test_any_cache_gives_the_same_batches(self, windows: WindowSet, tmp_path: Path, preload: bool) -> None:
        expected = list(windows.epoch(3, 2, 20, AugmentSettings(), 0, 0))
        with closing(SqliteCache(tmp_path, SPEC)) as disk:
            from_disk = WindowSet(fill_cache(disk), KEYS, SONGS, GROUPS, preload)
            same_batches(list(from_disk.epoch(3, 2, 20, AugmentSettings(), 0, 0)), expected)
        in_memory = WindowSet(windows.source.cache, KEYS, SONGS, GROUPS, preload)
        same_batches(list(in_memory.epoch(3, 2, 20, AugmentSettings(), 0, 0)), expected)

    @pytest.mark.parametrize("world", [1, 2, 3, 4])
    def test_the_parts_of_all_ranks_are_the_batch(self, world: int) -> None:
        windows = make_window_set(5)
        whole = list(windows.epoch(4, 2, 20, AugmentSettings(mix=0.3), 3, 1))
        parts = [
            list(windows.epoch(4, 2, 20, AugmentSettings(mix=0.3), 3, 1, part=(rank, world))) for rank in range(world)
        ]
        joined = [
            Batch(
                {name: torch.cat([part.features[name] for part in ranks]) for name in SPEC.modalities},
                torch.cat([part.songs for part in ranks]),
                torch.cat([part.groups for part in ranks]),
            )
            for ranks in zip(*parts, strict=True)
        ]
        same_batches(joined, whole)
        sizes = [len(part[0].songs) for part in parts]
        assert max(sizes) - min(sizes) <= 2, "a song of two views at most"


class TestIdentities:
    def test_songs_that_are_one_piece_are_heard_as_one(self, cache: FeatureCache) -> None:
        windows = WindowSet(cache, KEYS, ("a", "b", "a", "c", "a"), SONGS)
        (batch,) = windows.epoch(5, 6, 10, OFF, 0, 0)
        assert len(batch.songs) == 3 * 6
        heard = songs_heard(batch)
        labels = windows.identity.tolist()
        assert [labels[song] for song in heard] == batch.songs.tolist()
        assert Counter(heard) == {0: 2, 2: 2, 4: 2, 1: 6, 3: 6}, "the views of a piece go round its recordings"
        assert batch.groups.tolist() == windows.group[heard].tolist()

    def test_with_few_views_all_recordings_have_their_turn(self, cache: FeatureCache) -> None:
        windows = WindowSet(cache, KEYS, ("a", "b", "a", "c", "a"), SONGS)
        heard: Counter[int] = Counter()
        for epoch in range(30):
            (batch,) = windows.epoch(5, 2, 10, OFF, 0, epoch)
            of_a = [song for song in songs_heard(batch) if song in (0, 2, 4)]
            assert len(set(of_a)) == 2
            heard.update(of_a)
        assert min(heard[song] for song in (0, 2, 4)) >= 10
