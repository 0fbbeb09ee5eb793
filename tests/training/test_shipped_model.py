"""The recipe of the shipped model describes the front end that the model was made with."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from resonance_engine.features.spec import FeatureSpec
from training.shipped_model import RECIPE, fold_of


def test_training_hears_twice_the_windows_of_the_default_front_end() -> None:
    default = FeatureSpec()
    assert RECIPE.spec == replace(default, decoding=replace(default.decoding, windows=8))


def test_folds_take_whole_soundtracks_and_are_about_as_large() -> None:
    soundtracks = [name for name, count in zip("abcdefgh", (9, 8, 7, 6, 5, 4, 3, 2), strict=True) for _ in range(count)]
    fold = fold_of(soundtracks)
    assert {
        len({int(f) for f, name in zip(fold, soundtracks, strict=True) if name == each}) for each in "abcdefgh"
    } == {1}
    sizes = [int((fold == number).sum()) for number in range(5)]
    assert sum(sizes) == len(soundtracks)
    assert max(sizes) - min(sizes) <= 4, sizes
