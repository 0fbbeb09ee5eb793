"""Batches that hold further views: mixed windows, and windows of augmented audio."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import CacheError
from resonance_engine.training.config.settings import AudioAugmentSettings, AugmentSettings
from resonance_engine.training.data import dataset as dataset_module
from resonance_engine.training.data import extractor
from resonance_engine.training.data.cache import FeatureCache, RamCache, SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.extractor import view_key
from tests.tiny_models import FRAMING, SPEC
from tests.training.window_sets import COUNTS, GROUPS, KEYS, MAKER, OFF, SONGS, fill_cache, labelled_features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cache() -> FeatureCache:
    return fill_cache(RamCache(SPEC))


@pytest.fixture
def windows(cache: FeatureCache) -> WindowSet:
    return WindowSet(cache, KEYS, SONGS, GROUPS)


class TestMixing:
    def test_every_view_gets_a_window_of_another_song(
        self, windows: WindowSet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[list[int], list[int]]] = []

        def spy(features: Any, augment: AugmentSettings, rngs: Any, others: Any, mel_scales: Any) -> Any:  # noqa: ARG001 - the contract
            assert mel_scales == {"timbre": FRAMING}
            assert {name: x.shape for name, x in others.items()} == {name: x.shape for name, x in features.items()}
            seen.append(tuple((x["rhythm"][:, 0] // 100).astype(int).tolist() for x in (features, others)))  # type: ignore[arg-type]
            return features

        monkeypatch.setattr(dataset_module, "augment_features", spy)
        for epoch in range(5):
            list(windows.epoch(5, 4, 10, replace(OFF, mix=0.3), 0, epoch))
        pairs = {pair for songs, others in seen for pair in zip(songs, others, strict=True)}
        assert pairs == {(a, b) for a in range(5) for b in range(5) if a != b}

    def test_without_mixing_nothing_is_read_for_it(self, windows: WindowSet, monkeypatch: pytest.MonkeyPatch) -> None:
        def spy(features: Any, augment: AugmentSettings, rngs: Any, others: Any, mel_scales: Any) -> Any:  # noqa: ARG001 - the contract
            assert others is None
            return features

        monkeypatch.setattr(dataset_module, "augment_features", spy)
        assert len(list(windows.epoch(5, 2, 10, OFF, 0, 0))) == 1

    def test_a_single_song_is_mixed_with_itself(self, windows: WindowSet) -> None:
        assert windows.subset([2]).draw_other(0, np.random.default_rng(0)) == 0


class TestAudioViews:
    @pytest.fixture(autouse=True)
    def _maker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(extractor, "views_maker", lambda _: MAKER)

    @pytest.fixture
    def cache(self, tmp_path: Path) -> Iterator[FeatureCache]:
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            yield fill_cache(cache)

    @pytest.fixture(params=[True, False], ids=["preloaded", "read"])
    def viewed(self, request: pytest.FixtureRequest, cache: FeatureCache) -> WindowSet:
        for song, count in enumerate(COUNTS):
            cache.put(view_key(KEYS[song], 1), labelled_features(song, count, view=1), MAKER)
        return WindowSet(cache, KEYS, SONGS, GROUPS, preload=request.param).subset([4, 2, 0])

    def test_they_are_further_windows_of_the_song(self, viewed: WindowSet) -> None:
        augment = replace(OFF, audio=AudioAugmentSettings(views=1))
        rhythm = [x.features["rhythm"][:, 0] for epoch in range(8) for x in viewed.epoch(3, 12, 10, augment, 0, epoch)]
        drawn = Counter(torch.cat(rhythm).int().tolist())
        assert set(drawn) == {1000 * view + x for view in (0, 1) for x in (0, 10, 200, 210, 220, 400, 410)}
        changed = sum(count for value, count in drawn.items() if value >= 1000)
        assert 100 < changed < 188, "half of 288, give or take three deviations"

    def test_nobody_else_sees_them(self, viewed: WindowSet) -> None:
        assert viewed.rows(range(7))["rhythm"].max() < 1000
        (batch,) = viewed.epoch(3, 12, 10, OFF, 0, 0)
        assert batch.features["rhythm"].max() < 1000

    def test_missing_ones_are_a_sentence(self, viewed: WindowSet) -> None:
        with pytest.raises(CacheError, match="lacks audio view 2 of 3 songs; run precompute"):
            list(viewed.epoch(3, 12, 10, replace(OFF, audio=AudioAugmentSettings(views=2)), 0, 0))

    def test_those_of_another_maker_are_missing(self, viewed: WindowSet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(extractor, "views_maker", lambda _: "a stand-in 2")
        with pytest.raises(CacheError, match="lacks audio view 1"):
            list(viewed.epoch(3, 12, 10, replace(OFF, audio=AudioAugmentSettings(views=1)), 0, 0))

    def test_those_of_other_windows_are_refused(self, viewed: WindowSet, cache: FeatureCache) -> None:
        cache.put(view_key(KEYS[2], 1), labelled_features(2, 5, view=1), MAKER)
        with pytest.raises(CacheError, match="other windows in audio view 1"):
            list(viewed.epoch(3, 12, 10, replace(OFF, audio=AudioAugmentSettings(views=1)), 0, 0))
