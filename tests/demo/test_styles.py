"""Styles are clearly different, and neither loudness nor brightness alone tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from demo.baselines import mfcc_statistics, standardised
from demo.catalogue import STYLES, composed, performed, planned
from demo.evaluate import Vectors, style_share
from demo.instruments import RATE
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import Decoding, FeatureSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 5.0
TAKES = 3
SPEC = FeatureSpec(decoding=Decoding(seconds=SECONDS, windows=1), hpss=False, harmony=None, rhythm=None)


@pytest.fixture(scope="module")
def excerpts() -> list[Vectors]:
    """The last seconds of every track, in mono."""
    cut = round(SECONDS * RATE)
    tracks = planned(11, TAKES, 1.3 * SECONDS)
    return [performed(*composed(track)).mean(axis=0)[None, -cut:] for track in tracks]


@pytest.fixture(scope="module")
def labels() -> list[str]:
    return [style.name for style in STYLES for _ in range(TAKES)]


def test_a_track_left_out_is_nearest_to_its_own_styles_centre(excerpts: list[Vectors], labels: list[str]) -> None:
    front_end = FrontEnd(SPEC)
    statistics = standardised(np.stack([mfcc_statistics(front_end(excerpt)) for excerpt in excerpts]))
    assert accuracy(statistics, labels) > 0.65
    assert style_share(statistics, labels, TAKES - 1) > 0.4


def test_loudness_says_little_about_the_style(excerpts: list[Vectors], labels: list[str]) -> None:
    levels = np.stack([np.log10([np.sqrt(np.mean(excerpt**2))]) for excerpt in excerpts])
    assert accuracy(levels, labels) < 0.35


def accuracy(vectors: Vectors, labels: Sequence[str]) -> float:
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
