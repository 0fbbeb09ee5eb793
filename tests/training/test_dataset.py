"""Windows of recordings, from a cache on disk to batches of views."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.audio import read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features import FrontEnd
from resonance_engine.training import features as features_module
from resonance_engine.training.augment import Augmentation
from resonance_engine.training.dataset import WindowSet
from resonance_engine.training.features import CachedFeatures, cached, cached_all
from tests.audio_files import tune, write_audio
from tests.tiny_models import SPEC

if TYPE_CHECKING:
    from pathlib import Path

OFF = Augmentation(tilt_db=0, curve_db=0, band_mask=0, time_mask=0, chroma_noise=0, rhythm_noise=0)
COUNTS = (2, 1, 3, 2, 2)
GROUPS = ("b", "a", "b", "c", "a")


@pytest.fixture
def windows(tmp_path: Path) -> WindowSet:
    """Five recordings; a feature's values say its recording (hundreds), window (tens) and, where timed, frame."""
    recordings = []
    for song, count in enumerate(COUNTS):
        base = 100.0 * song + 10.0 * np.arange(count)
        timed = np.broadcast_to(base[:, None, None] + np.arange(8), (count, 4, 8))
        arrays: dict[str, Any] = {
            "timbre": timed,
            "harmony": timed + 0.5,
            "rhythm": np.repeat(base[:, None], 3, axis=1),
        }
        path = tmp_path / f"{song}.npz"
        np.savez(path, **{name: values.astype(np.float16) for name, values in arrays.items()})
        recordings.append(CachedFeatures(path))
    return WindowSet(recordings, GROUPS)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class TestWindowSet:
    def test_each_window_knows_its_recording(self, windows: WindowSet) -> None:
        assert len(windows) == 5
        assert windows.song.tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 4, 4]
        assert windows.first.tolist() == [0, 2, 3, 6, 8, 10]
        assert (windows.features["rhythm"][:, 0] // 100).tolist() == windows.song.tolist()

    def test_groups_are_those_of_the_recordings(self, windows: WindowSet) -> None:
        same = windows.group[:, None] == windows.group[None, :]
        assert same.tolist() == [[a == b for b in GROUPS] for a in GROUPS]

    def test_a_part_is_the_set_of_some_recordings(self, windows: WindowSet) -> None:
        part = windows.subset(np.array([3, 1]))
        assert len(part) == 2
        assert part.features["rhythm"][:, 0].tolist() == [300, 310, 100]
        assert part.song.tolist() == [0, 0, 1]
        assert part.first.tolist() == [0, 2, 3]
        assert part.group.tolist() == windows.group[[3, 1]].tolist()

    def test_nothing_is_no_training_set(self) -> None:
        with pytest.raises(ValueError, match="at least one recording"):
            WindowSet([], [])


class TestEpoch:
    def test_views_belong_to_their_song_and_group(self, windows: WindowSet) -> None:
        for batch in windows.epoch(2, 3, 5, OFF, rng()):
            assert (batch.features["rhythm"][:, 0] // 100).tolist() == batch.songs.tolist()
            assert batch.groups.tolist() == windows.group[batch.songs.numpy()].tolist()
            assert set(Counter(batch.songs.tolist()).values()) == {3}

    def test_views_are_cut_at_the_same_time_in_one_window(self, windows: WindowSet) -> None:
        (batch,) = windows.epoch(5, 8, 3, OFF, rng())
        timbre, harmony = batch.features["timbre"], batch.features["harmony"]
        assert (timbre.shape, harmony.shape, timbre.dtype) == ((40, 4, 3), (40, 4, 3), torch.float32)
        torch.testing.assert_close(harmony, timbre + 0.5)
        torch.testing.assert_close(timbre[:, 0, 1:] - timbre[:, 0, :-1], torch.ones(40, 2))
        starts = timbre[:, 0, 0] - batch.features["rhythm"][:, 0]
        assert set(starts.tolist()) == set(range(6))
        used = batch.features["rhythm"][batch.songs == 2, 0]
        assert set(used.tolist()) == {200, 210, 220}

    @pytest.mark.parametrize(
        ("songs", "sizes"), [(5, [5]), (3, [3, 2]), (2, [2, 2, 1]), (4, [4]), (64, [5]), (1, [1] * 5)]
    )
    def test_what_is_left_over_is_a_batch_if_it_is_half_of_one(
        self, windows: WindowSet, songs: int, sizes: list[int]
    ) -> None:
        batches = [sorted(set(batch.songs.tolist())) for batch in windows.epoch(songs, 2, 4, OFF, rng())]
        assert [len(batch) for batch in batches] == sizes
        drawn = [song for batch in batches for song in batch]
        assert len(set(drawn)) == len(drawn)

    def test_the_same_seed_gives_the_same(self, windows: WindowSet) -> None:
        first, again = (next(iter(windows.epoch(5, 2, 4, Augmentation(), rng()))) for _ in range(2))
        assert first.songs.tolist() == again.songs.tolist()
        for name, values in first.features.items():
            assert torch.equal(values, again.features[name])

    def test_a_cut_is_at_most_the_window(self, windows: WindowSet) -> None:
        (batch,) = windows.epoch(5, 2, 300, OFF, rng())
        assert batch.features["timbre"].shape[-1] == 8

    def test_modalities_of_different_framings_are_refused(self, windows: WindowSet) -> None:
        windows.features["harmony"] = windows.features["harmony"][..., :4]
        with pytest.raises(ValueError, match="different framings"):
            next(iter(windows.epoch(5, 2, 3, OFF, rng())))

    def test_a_set_without_timed_features(self, windows: WindowSet) -> None:
        windows.features = {"rhythm": windows.features["rhythm"]}
        (batch,) = windows.epoch(5, 2, 3, OFF, rng())
        assert batch.features["rhythm"].shape == (10, 3)


class TestCache:
    def test_features_are_computed_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        audio = write_audio(tmp_path / "tune.wav", tune(4.0, 8000), 8000)
        first = cached(audio, tmp_path / "cache", SPEC)
        assert isinstance(first, CachedFeatures)
        expected = FrontEnd(SPEC)(read_windows(audio, SPEC.decoding).windows)
        found = first.read()
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert found[name].dtype == np.float16
            np.testing.assert_array_equal(found[name], values.astype(np.float16))
        monkeypatch.setattr(features_module, "read_windows", None)
        renamed = audio.rename(tmp_path / "renamed.wav")
        assert cached(renamed, tmp_path / "cache", SPEC) == first

    def test_files_come_in_their_order_with_what_is_wrong_with_them(self, tmp_path: Path) -> None:
        good = [write_audio(tmp_path / f"{i}.wav", tune(4.0, 8000, seed=i), 8000) for i in range(2)]
        bad = tmp_path / "bad.wav"
        bad.write_bytes(b"no music")
        first, error, second = cached_all([good[0], bad, good[1]], tmp_path / "cache", SPEC, processes=1)
        assert isinstance(error, AudioError)
        assert error.path == bad
        assert [first, second] == [cached(path, tmp_path / "cache", SPEC) for path in good]
        assert first != second
