"""The numbers on duplicates have the intervals that scipy gives, and copies are what their names say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.duplicates.recordings import CUT_END, CUT_START, NOISES, VARIANTS, make_noise
from benchmarks.duplicates.statistics import HitRate, StageCounts, count_pairs, expect_groups
from training.default_model.transcoding import StereoAudio, decode

if TYPE_CHECKING:
    from pathlib import Path

RATE = 44_100


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 10), (1, 72_010), (120, 127)])
def test_intervals_are_those_of_clopper_and_pearson(hits: int, count: int) -> None:
    exact = binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert HitRate(hits, count).interval() == pytest.approx((exact.low, exact.high), abs=1e-9)
    one_sided = binomtest(hits, count, alternative="less").proportion_ci(0.95, method="exact")
    assert HitRate(hits, count).upper() == pytest.approx(one_sided.high, abs=1e-9)


def test_expected_groups_are_products_of_the_stages() -> None:
    counts = StageCounts(HitRate(10, 1000), HitRate(100, 1000), HitRate(0, 1000), HitRate(0, 1))
    groups = expect_groups(1e6, counts, HitRate(1, 100))
    assert (groups.candidates, groups.groups) == pytest.approx((1000.0, 10.0))
    assert groups.most_candidates > groups.candidates
    assert groups.most_groups > groups.groups
    assert sum(count_pairs(12_000)) == 12_000 * 11_999 / 2


def test_copies_keep_what_they_should(tmp_path: Path) -> None:
    samples = 0.3 * np.sin(np.arange(10 * RATE) / 20).astype(np.float32)
    sound = StereoAudio(np.tile(samples, (2, 1)), RATE)
    copies = {kind: decode(write(sound, tmp_path)) for kind, write in VARIANTS.items()}
    seconds = {kind: copy.samples.shape[1] / copy.rate for kind, copy in copies.items()}
    level = {kind: float(np.sqrt(np.mean(copy.samples**2))) for kind, copy in copies.items()}
    mp3, cut, quieter, resampled = VARIANTS
    assert [round(seconds[kind], 1) for kind in (cut, quieter, resampled)] == [10 - CUT_START - CUT_END, 10.0, 10.0]
    assert seconds[mp3] == pytest.approx(10.0, abs=0.1)
    assert level[quieter] == pytest.approx(level[cut] * 10 ** (-12 / 20), rel=1e-3)
    assert copies[resampled].rate == RATE / 2


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_one_level_and_is_another_each_time(kind: str) -> None:
    one, other = (make_noise(kind, seed).samples for seed in (0, 1))
    assert np.sqrt(np.mean(one**2)) == pytest.approx(0.08, rel=1e-3)
    assert abs(float(np.corrcoef(one[0], other[0])[0, 1])) < 0.05
