"""Instruments: a frequency, a length and a strength in; a sound out.

Pitched instruments are sums of decaying sinusoids or plucked strings; `drums` has the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 44_100

Signal: TypeAlias = NDArray[np.float32]
# (Hz, seconds, strength from 0 to 1) -> mono samples, which may ring on after the given seconds.
Voice: TypeAlias = Callable[[float, float, float], Signal]

_BLOCK = 512
_UNTHREADED = 2**18  # multiplications


def samples(seconds: float) -> int:
    """The number of samples in so many seconds, at least one."""
    return max(1, round(seconds * RATE))


def partials(
    hz: NDArray[np.float64], amplitude: NDArray[np.float64], decay: NDArray[np.float64], length: int
) -> Signal:
    """The sum of sinusoids that each decay at their own rate (1/s); those above 18 kHz are left out.

    A damped sinusoid is a power of one complex number, z^(Bj + i) = (z^B)^j z^i, so the sum over all of
    them is one matrix product of blocks and samples within a block.
    """
    audible = (hz > 0.0) & (hz < 18_000.0)
    pole = (-decay + 2j * np.pi * hz)[audible] / RATE
    within = np.exp(np.outer(pole, np.arange(_BLOCK)))
    # Stacks of products so small that BLAS starts no threads, which would take longer to wake than to work.
    columns = 2 * len(pole)
    rows = max(1, _UNTHREADED // (max(2, columns) * _BLOCK))
    stacks = -(-length // (_BLOCK * rows))
    across = np.exp(np.outer(np.arange(stacks * rows) * _BLOCK, pole)) * amplitude[audible]
    blocks = np.hstack((across.imag, across.real)).astype(np.float32).reshape(stacks, rows, columns)
    block = np.vstack((within.real, within.imag)).astype(np.float32)
    return np.asarray(np.ravel(blocks @ block)[:length], dtype=np.float32)


def fade(sound: Signal, attack: float, release: float) -> Signal:
    """The sound with raised-cosine ends, in seconds."""
    rise, fall = (min(samples(seconds), len(sound)) for seconds in (attack, release))
    faded = sound.copy()
    faded[:rise] *= _half_cosine(rise)
    faded[len(sound) - fall :] *= _half_cosine(fall)[::-1]
    return faded


def vibrato(sound: Signal, hz: float, rate: float, cents: float, delay: float = 0.25) -> Signal:
    """The sound read at a wavering speed, setting in after `delay` seconds."""
    time = np.arange(len(sound)) / RATE
    onset = np.clip((time - delay) / 0.4, 0.0, 1.0)
    deviation = cents / 1200.0 * np.log(2.0) / (2.0 * np.pi * rate) * RATE
    position = np.arange(len(sound)) + deviation * onset * np.sin(2.0 * np.pi * rate * time + hz)
    return np.asarray(np.interp(position, np.arange(len(sound)), sound), dtype=np.float32)


def piano(brightness: float) -> Voice:
    """Struck strings, two a note: stiff, so that partials run sharp, and the higher the sooner gone."""

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        n = np.arange(1.0, 25.0)
        stiffness = 2e-4 * (hz / 130.0) ** 1.4
        frequency = n * hz * np.sqrt(1.0 + stiffness * n**2)
        tilt = 1.9 - 0.9 * brightness - 0.5 * strength
        amplitude = strength * n**-tilt * np.abs(np.sin(np.pi * n / 7.3)) * np.exp(-frequency / 7000.0)
        decay = (0.35 + hz / 700.0) * (1.0 + 0.35 * n)
        beating = np.concatenate((frequency, frequency * 1.0004))
        sound = partials(beating, np.tile(amplitude, 2), np.tile(decay, 2), samples(seconds + 0.15))
        return fade(sound, 0.003, 0.15)

    return voice


def plucked(rng: np.random.Generator, brightness: float, sustain: float) -> Voice:
    """A plucked string after Karplus and Strong (1983): a burst of noise that runs round a low-pass loop.

    One turn of the loop is one array operation; `sustain` is the seconds until a note has fallen by 60 dB.
    """

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        period = max(2, int(RATE / hz - 0.5))
        # The loop delays by a whole number of samples and a half; reading it slightly fast or slow tunes it.
        speed = hz * (period + 0.5) / RATE
        length = samples(seconds + 0.08)
        turns = int(length * speed / period) + 2
        loss = 10.0 ** (-3.0 / (sustain * hz))
        string = np.zeros((turns, period), dtype=np.float32)
        string[0] = _excitation(rng, period, brightness * (0.6 + 0.4 * strength))
        before = np.float32(0.0)
        for turn in range(1, turns):
            last = string[turn - 1]
            string[turn, 1:] = loss * 0.5 * (last[1:] + last[:-1])
            string[turn, 0] = loss * 0.5 * (last[0] + before)
            before = last[-1]
        flat = string.ravel()
        sound = np.interp(np.arange(length) * speed, np.arange(len(flat)), flat).astype(np.float32)
        return fade(np.float32(strength) * sound, 0.001, 0.08)

    return voice


def bowed(brightness: float) -> Voice:
    """A bowed string: a sawtooth behind the resonances of a wooden body, with vibrato and a soft onset."""
    resonances = np.array([[280.0, 60.0, 1.0], [470.0, 90.0, 1.2], [1050.0, 300.0, 0.7], [2600.0, 800.0, 0.6]])

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        n = np.arange(1.0, 31.0)
        frequency = n * hz
        centre, width, height = (column[:, None] for column in resonances.T)
        body = 0.25 + (height / (1.0 + ((frequency - centre) / width) ** 2)).sum(axis=0)
        amplitude = strength * body * n ** -(1.7 - 0.7 * brightness) * np.exp(-frequency / (2500 + 5000 * brightness))
        sound = partials(frequency, amplitude, np.zeros_like(n), samples(seconds + 0.12))
        return fade(vibrato(sound, hz, 5.3, 14.0), min(0.09, seconds / 3.0), min(0.16, seconds / 2.0))

    return voice


def pad(brightness: float, attack: float, release: float) -> Voice:
    """A soft synthesiser: three detuned copies of a dull wave that swell and sink."""

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        n = np.arange(1.0, 17.0)
        detuned = np.concatenate([n * hz * ratio for ratio in (0.9965, 1.0, 1.0041)])
        amplitude = strength * n ** -(2.4 - 1.2 * brightness) / 3.0
        sound = partials(detuned, np.tile(amplitude, 3), np.zeros(48), samples(seconds + release))
        return fade(sound, min(attack, seconds), release)

    return voice


def bell(brightness: float, sustain: float) -> Voice:
    """Struck metal: a few inharmonic partials that ring long."""
    ratio = np.array([0.5, 1.0, 1.19, 2.0, 2.74, 3.76, 5.4])

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        amplitude = strength * np.array([0.3, 1.0, 0.35, 0.5, 0.4, 0.3, 0.2]) * ratio ** (brightness - 1.0)
        decay = 3.0 / sustain * ratio**0.7
        return fade(partials(ratio * hz, amplitude, decay, samples(seconds + sustain)), 0.002, 0.4 * sustain)

    return voice


def saw(brightness: float, closing: float, detune: float = 0.0) -> Voice:
    """A sawtooth whose upper partials die faster, like a synthesiser's filter: `closing` per second."""

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        n = np.arange(1.0, min(60.0, 2.0 + 14_000.0 / hz))
        amplitude = strength / n * np.exp(-n * hz / (300.0 + 6000.0 * brightness * (0.4 + 0.6 * strength)))
        decay = closing * np.sqrt(n - 1.0)
        copies = (1.0,) if detune == 0.0 else (1.0 - detune, 1.0 + detune)
        frequency = np.concatenate([n * hz * copy for copy in copies])
        sound = partials(
            frequency, np.tile(amplitude, len(copies)), np.tile(decay, len(copies)), samples(seconds + 0.02)
        )
        return fade(sound, 0.003, 0.02)

    return voice


def pulse(duty: float, decay: float = 1.5) -> Voice:
    """A home computer's square wave: `duty` is the share of a period that is high."""

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        n = np.arange(1.0, min(50.0, 2.0 + 16_000.0 / hz))
        amplitude = strength * 0.6 * np.sin(np.pi * n * duty) / n
        return fade(partials(n * hz, amplitude, np.full_like(n, decay), samples(seconds)), 0.002, 0.006)

    return voice


def triangle(hz: float, seconds: float, strength: float) -> Signal:
    """A home computer's bass: odd partials that fall off fast."""
    n = np.arange(1.0, 20.0, 2.0)
    amplitude = strength * 0.8 * np.where(n % 4 == 1, 1.0, -1.0) / n**2
    return fade(partials(n * hz, amplitude, np.zeros_like(n), samples(seconds)), 0.002, 0.006)


def electric_guitar(brightness: float, muting: float) -> Voice:
    """A string before the amplifier: `muting` is the palm's damping per second."""

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        n = np.arange(1.0, 21.0)
        amplitude = strength * n ** -(1.5 - 0.6 * brightness) * np.abs(np.sin(np.pi * n * 0.13))
        decay = 0.5 + muting * (0.4 + 0.25 * n)
        return fade(partials(n * hz, amplitude, decay, samples(seconds + 0.03)), 0.002, 0.03)

    return voice


def _half_cosine(length: int) -> Signal:
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    return np.asarray(rise, dtype=np.float32)


def _excitation(rng: np.random.Generator, period: int, brightness: float) -> Signal:
    """One period of noise without an offset, its highs damped by how softly the string is plucked."""
    spectrum = np.fft.rfft(rng.uniform(-1.0, 1.0, period))
    harmonic = np.arange(len(spectrum))
    spectrum *= np.exp(-harmonic / (3.0 + 60.0 * brightness**2)) * (harmonic > 0)
    burst = np.fft.irfft(spectrum, period)
    return np.asarray(0.9 * burst / (np.abs(burst).max() + 1e-9), dtype=np.float32)
