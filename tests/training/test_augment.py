"""Augmented windows differ as they are meant to, and only so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.training.augment import Augmentation, augmented, equalised, masked

if TYPE_CHECKING:
    from numpy.typing import NDArray

OFF = Augmentation(tilt_db=0, curve_db=0, band_mask=0, time_mask=0, chroma_noise=0, rhythm_noise=0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def features(windows: int = 6) -> dict[str, NDArray[np.float32]]:
    random = rng(1)
    shapes = {"timbre": (windows, 20, 50), "harmony": (windows, 12, 50), "rhythm": (windows, 32)}
    return {name: random.random(shape, np.float32) for name, shape in shapes.items()}


def test_switched_off_it_changes_nothing() -> None:
    changed = augmented(features(), OFF, rng())
    for name, values in features().items():
        np.testing.assert_array_equal(changed[name], values)


def test_the_windows_that_came_in_are_left_as_they_were() -> None:
    given = features()
    changed = augmented(given, Augmentation(), rng())
    for name, values in features().items():
        np.testing.assert_array_equal(given[name], values)
        assert changed[name].shape == values.shape
        assert changed[name].dtype == np.float32
        assert np.abs(changed[name] - values).max() > 0


def test_the_same_seed_gives_the_same() -> None:
    first, again, other = (augmented(features(), Augmentation(), rng(seed)) for seed in (3, 3, 4))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        assert np.abs(first[name] - other[name]).max() > 0


def test_a_modality_that_is_not_there_is_not_missed() -> None:
    assert augmented({"rhythm": features()["rhythm"]}, Augmentation(), rng()).keys() == {"rhythm"}


class TestEqualiser:
    def test_a_tilt_is_a_straight_line_within_its_bounds(self) -> None:
        mel = features(200)["timbre"]
        change = equalised(mel, replace(OFF, tilt_db=6.0), rng()) - mel
        # The same at all times, another for each window.
        np.testing.assert_allclose(change, np.broadcast_to(change[:, :, :1], change.shape), atol=1e-5)
        slopes = change[:, -1, 0] - change[:, 0, 0]
        assert 5.0 < np.abs(slopes).max() <= 6.0 + 1e-5
        np.testing.assert_allclose(np.diff(change[:, :, 0], n=2, axis=1), 0, atol=1e-5)

    def test_bumps_stay_within_their_bounds(self) -> None:
        mel = features(200)["timbre"]
        change = np.abs(equalised(mel, replace(OFF, curve_db=3.0), rng()) - mel)
        assert 2.5 < change.max() <= 3.0 + 1e-5


class TestMasks:
    @pytest.mark.parametrize(("name", "axis"), [("band_mask", 1), ("time_mask", 0)])
    def test_one_stretch_takes_the_mean(self, name: str, axis: int) -> None:
        mel = features(200)["timbre"]
        found = masked(mel, replace(OFF, **{name: 0.3}), rng())
        widths = []
        for before, after in zip(mel, found, strict=True):
            lines = np.flatnonzero((before != after).all(axis=axis))
            widths.append(len(lines))
            assert (np.diff(lines) == 1).all()
            rest = np.delete(after, lines, axis=1 - axis)
            np.testing.assert_array_equal(rest, np.delete(before, lines, axis=1 - axis))
            np.testing.assert_allclose(np.take(after, lines, axis=1 - axis), before.mean(), rtol=1e-4)
        size = mel.shape[2 - axis]
        assert min(widths) == 0
        assert 0.2 * size < max(widths) <= 0.3 * size


@pytest.mark.parametrize(("name", "setting"), [("harmony", "chroma_noise"), ("rhythm", "rhythm_noise")])
def test_noise_has_its_deviation_and_stays_in_range(name: str, setting: str) -> None:
    middle = {name: np.full((100, 12, 50), 0.5, np.float32)}
    changed = augmented(middle, replace(OFF, **{setting: 0.05}), rng())[name]
    assert changed.std() == pytest.approx(0.05, rel=0.02)
    extreme = augmented({name: np.ones((4, 12, 50), np.float32)}, replace(OFF, **{setting: 0.5}), rng())[name]
    assert (extreme.min() >= 0, extreme.max() <= 1) == (True, True)
