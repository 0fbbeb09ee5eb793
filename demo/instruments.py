"""Pitched instruments, as sums of decaying sinusoids or plucked strings: Hz, seconds and strength to a signal."""

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
    """Return the number of samples in so many seconds, at least one."""
    return max(1, round(seconds * RATE))


def partials(
    hz: NDArray[np.float64], amplitude: NDArray[np.float64], decay: NDArray[np.float64], length: int
) -> Signal:
    """Sum sinusoids that each decay at their own rate (1/s); those above 18 kHz are left out.

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


def fade(signal: Signal, attack: float, release: float) -> Signal:
    """Fade both ends of a signal by raised cosines, in seconds."""
    rise, fall = (min(samples(seconds), len(signal)) for seconds in (attack, release))
    faded = signal.copy()
    faded[:rise] *= _half_cosine(rise)
    faded[len(signal) - fall :] *= _half_cosine(fall)[::-1]
    return faded


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


def _half_cosine(length: int) -> Signal:
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    return np.asarray(rise, dtype=np.float32)


def _excitation(rng: np.random.Generator, period: int, brightness: float) -> Signal:
    """Return one period of noise without an offset; the softer the pluck, the fewer highs."""
    spectrum = np.fft.rfft(rng.uniform(-1.0, 1.0, period))
    harmonic = np.arange(len(spectrum))
    spectrum *= np.exp(-harmonic / (3.0 + 60.0 * brightness**2)) * (harmonic > 0)
    burst = np.fft.irfft(spectrum, period)
    return np.asarray(0.9 * burst / (np.abs(burst).max() + 1e-9), dtype=np.float32)
