"""Voices, effects, and compositions rendered by them: performance, room, mastering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from demo.theory import hertz

if TYPE_CHECKING:
    from demo.theory import Key, Note

RATE = 44_100

Array: TypeAlias = NDArray[np.float64]
Signal: TypeAlias = NDArray[np.float32]
# (Hz, seconds, strength from 0 to 1) -> mono samples, which may ring on after the given seconds.
Voice: TypeAlias = Callable[[float, float, float], Signal]
# (Hz, strength) -> Hz, amplitude and decay (1/s) of each partial
Spectrum: TypeAlias = Callable[[float, float], tuple[Array, Array, Array]]
# Stereo (2, n) in, stereo out, of the same length.
Effect: TypeAlias = Callable[[Signal], Signal]

_BLOCK = 512
_UNTHREADED = 2**18  # multiplications
LOUDNESS = 10 ** (-18 / 20)  # RMS


def samples(seconds: float) -> int:
    """Return the number of samples in so many seconds, at least one."""
    return max(1, round(seconds * RATE))


def partials(hz: Array, amplitude: Array, decay: Array, length: int) -> Signal:
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
    for part, length in ((faded[:rise], rise), (faded[::-1][:fall], fall)):
        part *= (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    return faded


def additive(spectrum: Spectrum, attack: float, ring: float, detune: Sequence[float] = (1.0,)) -> Voice:
    """Return a voice of partials, once for each ratio of `detune`, that fades out `ring` seconds after its note."""

    def voice(hz: float, seconds: float, strength: float) -> Signal:
        frequency, amplitude, decay = spectrum(hz, strength)
        copies = np.outer(detune, frequency).ravel(), np.tile(amplitude, len(detune)), np.tile(decay, len(detune))
        return fade(partials(*copies, samples(seconds + ring)), min(attack, seconds), ring)

    return voice


def piano(brightness: float) -> Voice:
    """Struck strings, two a note: stiff, so that partials run sharp, and the higher the sooner gone."""
    n = np.arange(1.0, 25.0)

    def spectrum(hz: float, strength: float) -> tuple[Array, Array, Array]:
        frequency = n * hz * np.sqrt(1.0 + 2e-4 * (hz / 130.0) ** 1.4 * n**2)
        tilt = 1.9 - 0.9 * brightness - 0.5 * strength
        amplitude = strength * n**-tilt * np.abs(np.sin(np.pi * n / 7.3)) * np.exp(-frequency / 7000.0)
        return frequency, amplitude, (0.35 + hz / 700.0) * (1.0 + 0.35 * n)

    return additive(spectrum, 0.003, 0.15, (1.0, 1.0004))


def pad(brightness: float, attack: float, release: float) -> Voice:
    """A soft synthesiser: three detuned copies of a dull wave that swell and sink."""
    n = np.arange(1.0, 17.0)
    wave = n ** -(2.4 - 1.2 * brightness) / 3.0
    return additive(lambda hz, strength: (n * hz, strength * wave, 0.0 * n), attack, release, (0.9965, 1.0, 1.0041))


def bell(brightness: float, sustain: float) -> Voice:
    """Struck metal: a few inharmonic partials that ring long."""
    ratio = np.array([0.5, 1.0, 1.19, 2.0, 2.74, 3.76, 5.4])
    wave = np.array([0.3, 1.0, 0.35, 0.5, 0.4, 0.3, 0.2]) * ratio ** (brightness - 1.0)
    decay = 3.0 / sustain * ratio**0.7
    return additive(lambda hz, strength: (ratio * hz, strength * wave, decay), 0.002, sustain)


def saw(brightness: float, closing: float, detune: Sequence[float] = (1.0,)) -> Voice:
    """A sawtooth whose upper partials die faster, like a synthesiser's filter: `closing` per second."""

    def spectrum(hz: float, strength: float) -> tuple[Array, Array, Array]:
        n = np.arange(1.0, min(60.0, 2.0 + 14_000.0 / hz))
        amplitude = strength / n * np.exp(-n * hz / (300.0 + 6000.0 * brightness * (0.4 + 0.6 * strength)))
        return n * hz, amplitude, closing * np.sqrt(n - 1.0)

    return additive(spectrum, 0.003, 0.02, detune)


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
        # One period of noise without an offset; the softer the pluck, the fewer highs.
        noise = rfft(rng.uniform(-1.0, 1.0, period))
        harmonic = np.arange(len(noise))
        softness = 3.0 + 60.0 * (brightness * (0.6 + 0.4 * strength)) ** 2
        burst = irfft(noise * np.exp(-harmonic / softness) * (harmonic > 0), period)
        string = np.zeros((turns, period), dtype=np.float32)
        string[0] = 0.9 * burst / (np.abs(burst).max() + 1e-9)
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


def one_shot(sample: Array) -> Voice:
    """Return the voice that plays one sample, louder or softer, whatever the note's pitch and length."""
    faded = fade(sample.astype(np.float32), 0.001, 0.05)
    return lambda _hz, _seconds, strength: np.float32(strength) * faded


def kick(hz: float, decay: float, click: float) -> Voice:
    """A bass drum: a sine that falls to `hz`, dying at `decay` per second, with a click at its start."""
    time = np.arange(samples(0.45)) / RATE
    phase = 2.0 * np.pi * (hz * time + hz * 3.0 / 45.0 * (1.0 - np.exp(-45.0 * time)))
    attack = click * np.sin(2.0 * np.pi * 1800.0 * time) * np.exp(-700.0 * time)
    return one_shot(np.sin(phase) * np.exp(-decay * time) + attack)


def hat(rng: np.random.Generator, decay: float, dullness: int = 2) -> Voice:
    """A hi-hat, or a clap where duller: noise less its own average over `dullness` samples, which leaves the highs."""
    time = np.arange(samples(6.0 / decay)) / RATE
    noise = rng.standard_normal(len(time))
    return one_shot(0.4 * (noise - uniform_filter1d(noise, dullness)) * np.exp(-decay * time))


def echo(seconds: float, feedback: float) -> Effect:
    """Return an effect that repeats the sound, softer each time and on alternating sides."""

    def effect(sound: Signal) -> Signal:
        echoed = sound.copy()
        for repeat in range(1, 6):
            delay = samples(repeat * seconds)
            source = sound if repeat % 2 == 0 else sound[::-1]
            echoed[:, delay:] += np.float32(feedback**repeat) * source[:, : max(0, sound.shape[1] - delay)]
        return echoed

    return effect


def pump(beat_seconds: float, depth: float) -> Effect:
    """Return an effect that ducks under each beat, as a compressor side-chained to the kick."""

    def effect(sound: Signal) -> Signal:
        phase = np.arange(sound.shape[1]) / (beat_seconds * RATE) % 1.0
        return sound * (1.0 - depth * np.exp(-5.0 * phase)).astype(np.float32)

    return effect


def reverberation(send: Signal, seconds: float, brightness: float, rng: np.random.Generator) -> Signal:
    """Convolve a mono signal with stereo noise that falls by 60 dB in `seconds`, the highs sooner."""
    impulse_length = samples(seconds)
    length = next_fast_len(len(send) + impulse_length, real=True)
    time = np.arange(impulse_length) / RATE
    decay = 6.9 / seconds
    noise = rng.standard_normal((2, impulse_length))
    dull = uniform_filter1d(noise, round(4 + 24 * (1.0 - brightness)), axis=1)
    impulse = (dull + brightness * noise * np.exp(-2.0 * decay * time)) * np.exp(-decay * time)
    impulse /= np.sqrt((impulse**2).sum(axis=1, keepdims=True))
    wet = irfft(rfft(impulse.astype(np.float32), length) * rfft(send, length), length)
    return np.asarray(wet[:, : len(send)], dtype=np.float32)


def limit(sound: Signal, ceiling: float = 0.89) -> Signal:
    """Turn the sound down around its peaks, 5 ms ahead, so that nothing passes the ceiling."""
    reach = samples(0.005)
    peaks = maximum_filter1d(np.abs(sound).max(axis=0), 2 * reach + 1)
    gain = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9)).astype(np.float32)
    # An average over the reach of the peak filter never exceeds the gain that the peak itself needs.
    return np.asarray(sound * uniform_filter1d(gain, 2 * reach + 1), dtype=np.float32)


@dataclass(frozen=True)
class InstrumentPart:
    """One instrument's notes and its place in the mix.

    `level` is a factor; `pan` goes from -1 (left) to 1; `spread` puts low notes left and high notes right of
    it; `send` is the share that goes into the room; `looseness` is the deviation of the timing in seconds.
    """

    voice: Voice
    notes: Sequence[Note]
    level: float = 1.0
    pan: float = 0.0
    spread: float = 0.0
    send: float = 0.15
    looseness: float = 0.004
    effect: Effect | None = None


@dataclass(frozen=True)
class Composition:
    """Everything needed to render a track; `tempo` is in beats per minute.

    `reverb` is the seconds until the reverberation has fallen by 60 dB, `brightness` (0 to 1) its share of highs.
    """

    key: Key
    tempo: float
    seconds: float
    parts: Sequence[InstrumentPart]
    reverb: float
    brightness: float


def render(composition: Composition, rng: np.random.Generator) -> Signal:
    """Render a composition as stereo samples, float32 (2, n) at 44.1 kHz."""
    dry = np.zeros((2, samples(composition.seconds)), dtype=np.float32)
    send = np.zeros(dry.shape[1], dtype=np.float32)
    for part in composition.parts:
        sound = _perform(part, composition.tempo, dry.shape[1], rng)
        dry += sound
        send += np.float32(part.send) * sound.mean(axis=0)
    return _master(dry + reverberation(send, composition.reverb, composition.brightness, rng))


def _perform(part: InstrumentPart, tempo: float, length: int, rng: np.random.Generator) -> Signal:
    """Play a part's notes with small deviations in time and strength; strengths are rounded to tenths."""
    track = np.zeros((2, length), dtype=np.float32)
    beat = 60.0 / tempo
    voice = cache(part.voice)  # most songs repeat themselves
    for note in part.notes:
        start = round(max(0.0, note.start * beat + rng.normal(0.0, part.looseness)) * RATE)
        strength = float(np.clip(round(note.velocity * rng.normal(1.0, 0.06), 1), 0.1, 1.0))
        if start >= length:
            continue
        seconds = round(min(note.length * beat, (length - start) / RATE), 3)
        sound = voice(hertz(note.pitch), seconds, strength)[: length - start]
        place = np.clip(part.pan + part.spread * (note.pitch - 60.0) / 24.0, -1.0, 1.0)
        # Equal power: the squares of both gains sum to one wherever the sound stands.
        for side, gain in zip(track, (np.cos, np.sin), strict=True):
            side[start : start + len(sound)] += np.float32(part.level * gain((place + 1.0) * np.pi / 4.0)) * sound
    if part.effect is None:
        return track
    changed = part.effect(track)
    changed *= np.sqrt(np.mean(track**2)) / (np.sqrt(np.mean(changed**2)) + np.float32(1e-9))
    return changed


def _master(sound: Signal) -> Signal:
    """Bring the sound to -18 dB RMS, fade its ends and limit its peaks."""
    sound *= np.float32(LOUDNESS) / (np.sqrt(np.mean(sound**2)) + np.float32(1e-9))
    rise, fall = samples(0.02), samples(min(2.5, sound.shape[1] / RATE / 4.0))
    sound[:, :rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)
    sound[:, -fall:] *= np.linspace(1.0, 0.0, fall, dtype=np.float32)
    return limit(sound)
