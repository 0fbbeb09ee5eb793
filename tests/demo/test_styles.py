"""Styles are clearly different, and neither loudness nor brightness alone tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.quality.baselines import RATE as MFCC_RATE
from benchmarks.quality.baselines import mfcc_statistics
from benchmarks.quality.systems import resample, z_scored
from demo.library import plan_library
from demo.styles import STYLES
from demo.synthesis import RATE, render
from resonance_engine.evaluation.metrics import precision_at, ranked_relevance, same_label
from resonance_engine.features.spec import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SECONDS = 5.0
TAKES = 6


@pytest.fixture(scope="module")
def excerpts() -> NDArray[np.float32]:
    """The last seconds of every track, in mono, (tracks, samples)."""
    cut = round(SECONDS * RATE)
    tracks = plan_library(11, TAKES, 1.3 * SECONDS)
    return np.stack([render(*track.compose()).mean(axis=0)[-cut:] for track in tracks])


@pytest.fixture(scope="module")
def labels() -> list[str]:
    return [style.name for style in STYLES for _ in range(TAKES)]


def test_a_track_left_out_is_nearest_to_its_own_styles_centre(excerpts: NDArray[np.float32], labels: list[str]) -> None:
    windows = resample(excerpts, Decoding(), MFCC_RATE)
    statistics = z_scored(np.stack([mfcc_statistics(window[None]) for window in windows]).astype(np.float64))
    assert accuracy(statistics, labels) > 0.9
    hits, _ = ranked_relevance(statistics @ statistics.T, same_label(labels))
    assert precision_at(hits, TAKES - 1).mean() > 0.7


def test_loudness_says_little_about_the_style(excerpts: NDArray[np.float32], labels: list[str]) -> None:
    levels = np.log10(np.sqrt(np.mean(np.square(excerpts, dtype=np.float64), axis=1, keepdims=True)))
    assert accuracy(levels, labels) < 0.45


def accuracy(vectors: NDArray[np.float64], labels: Sequence[str]) -> float:
    """Leave-one-out: how often the centre nearest to a track is that of its own style."""
    styles = np.asarray(labels)
    names = np.unique(styles)
    right = 0
    for left_out in range(len(styles)):
        others = np.arange(len(styles)) != left_out
        centres = np.stack([vectors[others & (styles == name)].mean(axis=0) for name in names])
        nearest = names[np.linalg.norm(centres - vectors[left_out], axis=1).argmin()]
        right += nearest == styles[left_out]
    return right / len(styles)
