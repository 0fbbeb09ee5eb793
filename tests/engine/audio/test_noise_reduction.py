"""White noise under music is reduced, and what has none, or only for moments, is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.audio.dense import fit_window
from resonance_engine.audio.noise_reduction import estimate_gains, measure_floor, reduce_noise
from resonance_engine.features.spec import Decoding

if TYPE_CHECKING:
    from resonance_engine.audio.noise_reduction import Samples

DECODING = Decoding()
RATE = DECODING.rate


def melody(seconds: float = 6.0, rate: int = RATE) -> Samples:
    """Decaying notes, two a second."""
    seconds_of = np.arange(int(seconds * rate)) / rate
    note, age = np.divmod(seconds_of, 0.5)
    pitch = 220 * 2 ** (np.array([0, 4, 7, 12, 9, 5])[note.astype(int) % 6] / 12)
    wave = sum(np.sin(2 * np.pi * n * pitch * age) / n for n in (1, 2, 3))
    return np.asarray(0.3 * np.exp(-3 * age) * wave, np.float32)


def white(count: int, power: float) -> Samples:
    return np.asarray(np.sqrt(power) * np.random.default_rng(0).standard_normal(count), np.float32)


def mean_power(samples: Samples) -> float:
    return float(np.mean(np.square(samples)))


@pytest.mark.parametrize("rate", [16000, RATE, 44100])
@pytest.mark.parametrize("decibels", [5, 10, 20])
def test_noise_under_music_loses_most_of_its_power(rate: int, decibels: int) -> None:
    music = melody(rate=rate)
    noise = white(len(music), mean_power(music) / 10 ** (decibels / 10))
    left = reduce_noise(music + noise, rate) - music
    assert mean_power(left) < mean_power(noise) / 4


def test_music_without_noise_stays_the_same_array() -> None:
    music = melody()
    silence, click = np.zeros(RATE, np.float32), np.zeros(3 * RATE, np.float32)
    click[RATE] = 1.0
    for samples in (music, music[:100], music[:RATE], silence, click, silence[:0]):
        assert reduce_noise(samples, RATE) is samples


def test_only_the_seconds_with_noise_are_changed() -> None:
    music = melody(12.0)
    noisy = music.copy()
    noisy[6 * RATE :] += white(6 * RATE, mean_power(music) / 10)
    reduced = reduce_noise(noisy, RATE)
    np.testing.assert_allclose(reduced[: 5 * RATE], music[: 5 * RATE], atol=1e-5)
    assert mean_power(reduced[7 * RATE :] - music[7 * RATE :]) < mean_power(noisy[7 * RATE :] - music[7 * RATE :]) / 4


@pytest.mark.parametrize("power", [1e-8, 1e-2])
def test_the_floor_is_the_noise_in_a_bin(power: float) -> None:
    size = 1024
    # Of a window of unit mean square: half its length, times the variance.
    assert measure_floor(white(8 * RATE, power), RATE, size) == pytest.approx(power * size / 2, rel=0.4)


def test_the_gain_is_1_without_noise_and_least_in_noise_alone() -> None:
    power = np.ones((4, 3), np.float32)
    power[:, 1] = 1e4
    gains = estimate_gains(power, np.array([0, 0, 1, 1], np.float32))
    assert (gains[:2] == 1).all()
    assert gains[2:, 1] == pytest.approx(1, abs=0.02)
    assert (gains[2:, [0, 2]] < 0.15).all()


def test_dense_windows_are_reduced() -> None:
    music = np.tile(melody(), 3)
    noisy = 0.5 * (music + white(len(music), mean_power(music) / 10))
    window = fit_window(noisy, RATE, DECODING)
    assert window is not None
    np.testing.assert_array_equal(window, reduce_noise(np.clip(noisy, -1, 1), RATE))
    assert not np.array_equal(window, noisy)
