"""The measurement of the three-modality design: what it trains on, how it splits, and what it counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from benchmarks.corpus_training import FOLDS, RECIPE, fold_of, scores, summary
from resonance_engine.features.spec import FeatureSpec


def test_training_hears_twice_the_windows_of_the_default_front_end() -> None:
    default = FeatureSpec()
    assert RECIPE.spec == replace(default, decoding=replace(default.decoding, windows=8))


def test_folds_take_whole_soundtracks_and_are_about_as_large() -> None:
    soundtracks = [name for name, count in zip("abcdefgh", (9, 8, 7, 6, 5, 4, 3, 2), strict=True) for _ in range(count)]
    fold = fold_of(soundtracks)
    assert {
        len({int(f) for f, name in zip(fold, soundtracks, strict=True) if name == each}) for each in "abcdefgh"
    } == {1}
    sizes = [int((fold == number).sum()) for number in range(FOLDS)]
    assert sum(sizes) == len(soundtracks)
    assert max(sizes) - min(sizes) <= 4, sizes


def test_scores_by_hand() -> None:
    """Four directions in a plane, 0, 10, 30 and 90 degrees; a track without a companion has no score."""
    angles = np.radians([0, 10, 30, 90])
    found = scores(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), ["a", "b", "a", "c"])
    np.testing.assert_array_equal(found["R@1"], [0, np.nan, 0, np.nan])
    np.testing.assert_allclose(found["mAP"], [1 / 2, np.nan, 1 / 2, np.nan])


def test_the_summary_is_over_all_queries_and_pairs_them() -> None:
    def fold(soundtracks: str, before: list[float], after: list[float]) -> dict[str, object]:
        metrics = ("R@1", "P@10", "mAP")
        return {
            "soundtracks": list(soundtracks),
            "untrained": dict.fromkeys(metrics, before),
            "trained": dict.fromkeys(metrics, after),
        }

    results = [fold("aab", [0.0, 0.5, np.nan], [0.5, 1.0, np.nan]), fold("cc", [1.0, 0.2], [0.5, 0.3])]
    row = summary(results, np.random.default_rng(0))["mAP"]
    assert row["untrained"] == pytest.approx(1.7 / 4)
    assert row["trained"] == pytest.approx(2.3 / 4)
    assert row["difference"] == pytest.approx(0.15)
    assert (row["queries"], row["folds won"]) == (4, 1)
    # Two soundtracks that count: differences of 0.5 and -0.2 on average.
    assert row["interval"] == pytest.approx((-0.2, 0.5))
