"""Instruments play the note they are asked for, for as long as they are asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import rfft, rfftfreq

from demo import drums, instruments
from demo.instruments import RATE, Signal, Voice, fade, partials, samples

RNG = np.random.default_rng(0)
PITCHED = {
    "piano": instruments.piano(0.5),
    "plucked": instruments.plucked(RNG, 0.5, 2.0),
    "pad": instruments.pad(0.5, 0.1, 0.1),
    "saw": instruments.saw(0.5, 5.0, 0.003),
}


def test_partials_are_the_sum_of_damped_sines() -> None:
    hz, amplitude, decay = np.array([100.0, 333.3, 25_000.0]), np.array([1.0, 0.4, 9.0]), np.array([2.0, 7.0, 0.0])
    time = np.arange(3000) / RATE
    audible = sum(
        a * np.exp(-d * time) * np.sin(2 * np.pi * f * time) for f, a, d in zip(hz[:2], amplitude, decay, strict=False)
    )
    np.testing.assert_allclose(partials(hz, amplitude, decay, 3000), audible, atol=1e-5)


@pytest.mark.parametrize("hz", [98.0, 311.1])
@pytest.mark.parametrize("name", PITCHED)
def test_pitched_instruments_are_in_tune(name: str, hz: float) -> None:
    """The period of the sound's autocorrelation is the note's, to 12 cents."""
    sound = PITCHED[name](hz, 0.6, 0.8)
    power = np.abs(rfft(sound, 2 * len(sound))) ** 2
    correlation = np.fft.irfft(power)
    lags = np.arange(round(0.75 * RATE / hz), round(1.4 * RATE / hz))
    best = int(lags[np.argmax(correlation[lags])])
    before, at, after = correlation[best - 1 : best + 2]
    period = best + 0.5 * (before - after) / (before - 2 * at + after)
    assert 1200 * np.log2(RATE / period / hz) == pytest.approx(0.0, abs=12.0)


def test_a_bell_rings_at_its_pitch_among_others() -> None:
    sound = instruments.bell(0.5, 2.0)(440.0, 0.5, 1.0)
    assert rfftfreq(len(sound), 1 / RATE)[np.abs(rfft(sound)).argmax()] == pytest.approx(440.0, rel=0.005)


@pytest.mark.parametrize(
    "voice",
    [
        *PITCHED.values(),
        instruments.bell(0.5, 2.0),
        drums.kick(50.0, 10.0, 0.3),
        drums.clap(RNG),
        drums.cymbal(RNG, 20.0),
        drums.wind(RNG, 8),
    ],
)
def test_every_voice_begins_and_ends_in_silence_and_follows_the_strength(voice: Voice) -> None:
    loud = voice(220.0, 0.4, 0.9)
    assert loud.dtype == np.float32
    assert abs(loud[0]) < 0.1 * np.abs(loud).max()
    assert abs(loud[-1]) < 0.01 * np.abs(loud).max()
    assert 0.02 < loudness(loud) < 1.0
    assert loudness(voice(220.0, 0.4, 0.3)) < 0.7 * loudness(loud)


def test_a_fade_changes_only_the_ends() -> None:
    faded = fade(np.ones(samples(1.0), dtype=np.float32), 0.1, 0.2)
    assert faded[samples(0.05)] == pytest.approx(0.5, abs=0.01)
    assert faded[samples(0.9)] == pytest.approx(0.5, abs=0.01)
    assert (faded[samples(0.1) : samples(0.8)] == 1.0).all()


def loudness(sound: Signal) -> float:
    return float(np.sqrt(np.mean(sound[: samples(0.3)] ** 2)))
