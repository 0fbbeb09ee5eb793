"""The three-modality networks that the benchmarks train: on which windows, and the split of soundtracks."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from benchmarks.corpus_training import RECIPE
from resonance_engine.features.spec import FeatureSpec


def test_training_takes_twice_the_windows_of_the_default_front_end() -> None:
    default = FeatureSpec()
    assert RECIPE.spec == replace(default, decoding=replace(default.decoding, windows=8))
