"""Instruments play the notes of their parts, for as long as written; effects do what their names say, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import rfft, rfftfreq

from demo import synthesis
from demo.synthesis import RATE, Signal, Voice, echo, fade, limit, partials, pump, reverberation, samples

RNG = np.random.default_rng(0)
PITCHED = {
    "piano": synthesis.piano(0.5),
    "plucked": synthesis.plucked(RNG, 0.5, 2.0),
    "pad": synthesis.pad(0.5, 0.1, 0.1),
    "saw": synthesis.saw(0.5, 5.0, (0.997, 1.003)),
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
    sound = synthesis.bell(0.5, 2.0)(440.0, 0.5, 1.0)
    assert rfftfreq(len(sound), 1 / RATE)[np.abs(rfft(sound)).argmax()] == pytest.approx(440.0, rel=0.005)


@pytest.mark.parametrize(
    "voice",
    [
        *PITCHED.values(),
        synthesis.bell(0.5, 2.0),
        synthesis.kick(50.0, 10.0, 0.3),
        synthesis.hat(RNG, 18.0, 12),
        synthesis.hat(RNG, 20.0),
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


def rms(sound: Signal) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_an_echo_comes_back_softer_on_the_other_side() -> None:
    click = np.zeros((2, samples(1.0)), dtype=np.float32)
    click[0, 100] = 1.0
    echoed = echo(0.25, 0.5)(click)
    assert echoed[1, 100 + samples(0.25)] == pytest.approx(0.5)
    assert echoed[0, 100 + samples(0.5)] == pytest.approx(0.25)
    assert np.count_nonzero(echoed) == 4


def test_a_pump_ducks_on_the_beat() -> None:
    ones = np.ones((2, RATE), dtype=np.float32)
    ducked = pump(0.5, 0.6)(ones)
    assert ducked[0, 0] == pytest.approx(0.4)
    assert ducked[0, samples(0.5)] == pytest.approx(0.4, abs=0.01)
    assert ducked[0, samples(0.49)] > 0.99


def test_a_room_answers_after_the_sound_and_dies_by_sixty_decibels() -> None:
    click = np.zeros(samples(2.0), dtype=np.float32)
    click[1000] = 1.0
    answer = reverberation(click, 1.0, 0.5, np.random.default_rng(1))
    assert np.abs(answer[:, :1000]).max() < 1e-5
    early, late = (rms(answer[:, 1000 + samples(at) : 1000 + samples(at + 0.1)]) for at in (0.05, 0.85))
    assert 20 * np.log10(late / early) == pytest.approx(-48.0, abs=4.0)
    assert abs(np.corrcoef(answer[0], answer[1]).flat[1]) < 0.3


def test_the_limiter_holds_its_ceiling_and_leaves_quiet_music_alone() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((2, RATE), dtype=np.float32) * np.linspace(0.01, 2.0, RATE, dtype=np.float32)
    held = limit(noise)
    assert np.abs(held).max() <= 0.89 * (1 + 1e-5)
    np.testing.assert_array_equal(held[:, : RATE // 20], noise[:, : RATE // 20])
